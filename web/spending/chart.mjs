/** What was spent on each day at each provider, as bars of plain SVG. */
import { el } from "../dom.mjs";
import { money, sumText, t } from "../i18n.mjs";

/** @typedef {{ day: string, provider: string, pictures: number, usd: number, usd_in_doubt: number }} SpendRow `day` as 2025-12-31. */

/** Of medium lightness: seen on dark and on light. */
const COLOURS = ["#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#76b7b2", "#b07aa1", "#c9a227", "#9c755f"];
const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT, LEFT, TOP, BOTTOM] = [600, 170, 52, 10, 20];
const ROOM = HEIGHT - TOP - BOTTOM;

/**
 * @param {SpendRow[]} rows @param {string[]} days Those that are shown, in order.
 * @param {(provider: string) => string} label
 */
export function spendChart(rows, days, label) {
  const shown = rows.filter((row) => days.includes(row.day) && row.usd > 0);
  if (!shown.length) return el("p", { class: "nb-quiet" }, t("chart.nothing", { days: days.length }));
  const providers = [...new Set(shown.map((row) => row.provider))].sort();
  const colours = new Map(providers.map((provider, index) => [provider, COLOURS[index % COLOURS.length] ?? ""]));
  const sums = days.map((day) => shown.filter((row) => row.day === day).reduce((sum, row) => sum + row.usd, 0));
  const most = roundUp(Math.max(...sums, 0));
  const step = (WIDTH - LEFT) / days.length;
  const total = sums.reduce((sum, usd) => sum + usd, 0);
  const root = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "nb-chart", role: "img" });
  root.setAttribute("aria-label", t("chart.name", { usd: sumText(total), days: days.length }));
  for (const part of [0, 0.5, 1]) {
    const y = TOP + ROOM * (1 - part);
    root.append(svg("line", { x1: LEFT, x2: WIDTH, y1: y, y2: y, class: "nb-chart-line" }));
    root.append(svg("text", { x: LEFT - 6, y: y + 4, "text-anchor": "end" }, sumText(most * part)));
  }
  days.forEach((day, index) => {
    let y = TOP + ROOM;
    for (const row of shown.filter((each) => each.day === day)) {
      const height = Math.max(1, (ROOM * row.usd) / most);
      y -= height;
      const fill = colours.get(row.provider) ?? "";
      const bar = svg("rect", { x: LEFT + index * step + 1, y, width: Math.max(1, step - 2), height, fill });
      bar.append(svg("title", {}, rowText(row, label)));
      root.append(bar);
    }
  });
  for (const index of new Set([0, Math.floor((days.length - 1) / 2), days.length - 1])) {
    const anchor = index === 0 ? "start" : index === days.length - 1 ? "end" : "middle";
    const x = index === 0 ? LEFT : index === days.length - 1 ? WIDTH : LEFT + (index + 0.5) * step;
    root.append(svg("text", { x, y: HEIGHT - 4, "text-anchor": anchor }, days[index]));
  }
  return el(
    "figure",
    { class: "nb-spend-chart" },
    root,
    el(
      "figcaption",
      { class: "nb-row" },
      ...providers.map((each) => el("span", { class: "nb-legend" }, swatch(colours.get(each) ?? ""), label(each))),
    ),
    asTable(shown, label),
  );
}

/** The same for who can't see bars. @param {SpendRow[]} rows @param {(provider: string) => string} label */
function asTable(rows, label) {
  const heads = ["chart.day", "chart.provider", "chart.pictures", "chart.usd"];
  return el(
    "details",
    {},
    el("summary", { class: "nb-quiet" }, t("chart.as_table")),
    el(
      "table",
      { class: "nb-table" },
      el("thead", {}, el("tr", {}, ...heads.map((name) => el("th", {}, t(name))))),
      el(
        "tbody",
        {},
        ...[...rows].reverse().map((row) =>
          el("tr", {}, ...[row.day, label(row.provider), String(row.pictures), money(row.usd)].map((text) => el("td", {}, text))),
        ),
      ),
    ),
  );
}

/** @param {SpendRow} row @param {(provider: string) => string} label */
function rowText(row, label) {
  const words = [row.day, label(row.provider), money(row.usd), t("spend.pictures", { n: row.pictures })];
  if (row.usd_in_doubt) words.push(t("spend.doubt", { usd: money(row.usd_in_doubt) }));
  return words.join(" · ");
}

/** @param {string} colour */
function swatch(colour) {
  const made = el("span", { class: "nb-swatch", "aria-hidden": "true" });
  made.style.background = colour;
  return made;
}

/** The next figure with one digit that is 1, 2 or 5. @param {number} value */
function roundUp(value) {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return (([1, 2, 5, 10].find((each) => each * power >= value * 0.999999) ?? 10) * power);
}

/** @param {string} tag @param {Record<string, string | number>} facts @param {string} [text] */
function svg(tag, facts, text) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(facts)) made.setAttribute(name, String(value));
  if (text !== undefined) made.textContent = text;
  return made;
}
