/** What a node shows of its last run: one line with the money, every notice, and what failed; of all elements of a list. */
import { failureNote } from "./failure_note.mjs";
import { money, sentences, t } from "./i18n.mjs";

/** @typedef {import("./server.mjs").Failed} Failed */
/** @typedef {import("./node_notes.mjs").Note} Note */
/**
 * The `info` of one element; a node that no list is linked into has one.
 * @typedef {{ images: { from: string, width: number, height: number }[], pending?: { order: string }[], failed: Failed[],
 *   cost_usd: number | null, cost_source: string, notices: string[],
 *   resolution_effective: string | null, provider?: string, element?: number, elements?: number }} Info
 */

/** So many places and ranges of places are named before a text. */
const MOST_NAMED = 8;
/** So many sizes are named one by one. */
const MOST_SIZES = 3;

/**
 * @param {Comfy.Node} node @param {Info[]} infos One for each element.
 * @param {import("./failure_note.mjs").Following} following What follows from the buttons.
 * @returns {Note[]}
 */
export function runNotes(node, infos, following) {
  const notices = noticeLines(infos);
  const line = spentLine(infos);
  const ordered = infos.some((info) => info.pending?.length);
  const folded = notices.length > 1 ? { details: { summary: t("run.notices", { n: notices.length }), lines: notices.map((each) => `• ${each}`) } } : {};
  /** @type {Note} */
  const result = { text: [line, ...(notices.length === 1 ? [`• ${notices[0]}`] : [])].join("\n"), tone: notices.length > (ordered ? 1 : 0) ? "warn" : "good", ...folded };
  const failed = infos.flatMap((info) => info.failed);
  if (!failed.length) return [result];
  const lines = [...new Set(failedLines(infos, false))];
  const title = lines.length > 1 ? t("run.failed", { n: failed.length, first: String(lines[0]) }) : String(lines[0]);
  const asked = failed.find((each) => each.provider)?.provider ?? infos[0]?.provider ?? "";
  const details = [...new Set(failedLines(infos, true))].map((each) => `✕ ${each}`);
  return [result, failureNote(node, { title, details, kind: "", charged: "no", failed, asked, ...following })];
}

/** @param {Info[]} infos */
function spentLine(infos) {
  const images = infos.flatMap((info) => info.images);
  const missing = infos.flatMap((info) => info.failed).length;
  const stored = images.filter((image) => image.from === "store").length;
  const costs = infos.map((info) => info.cost_usd);
  const cost = costs.reduce((sum, each) => (sum === null || each === null ? null : sum + each), 0);
  const parts = [];
  const ordered = infos.flatMap((info) => info.pending ?? []).length;
  if (ordered) parts.push(t("run.ordered", { n: ordered }));
  if (cost === 0 && stored && stored === images.length + missing) parts.push(t("run.stored"));
  else if (cost === 0) parts.push(t("run.nothing_spent"));
  else {
    const stated = infos.filter((info) => info.cost_usd).every((info) => info.cost_source === "provider");
    parts.push(cost === null ? t("run.spent_unknown") : t(stated ? "run.spent_exact" : "run.spent", { cost: money(cost) }));
  }
  if (cost !== 0 && stored) parts.push(t("price.some_stored", { n: stored }));
  const sizes = [...new Set(infos.map((info) => info.resolution_effective).filter(Boolean))];
  if (sizes.length) parts.push(sizes.join(", "));
  if (images.length > 1) parts.push(pixelSizes(images)); // one alone has its size below it
  if (infos.length > 1) {
    const incomplete = infos.filter((info) => info.failed.length).length;
    parts.push(t(incomplete ? "run.elements_failed" : "run.elements", { elements: infos.length, failed: incomplete }));
  }
  return parts.join(" · ");
}

/** How many pictures there are of each size; of many sizes their number. @param {{ width: number, height: number }[]} images */
function pixelSizes(images) {
  /** @type {Map<string, { n: number, width: number, height: number }>} */
  const found = new Map();
  for (const { width, height } of images) {
    const name = `${width}x${height}`;
    found.set(name, { n: (found.get(name)?.n ?? 0) + 1, width, height });
  }
  if (found.size > MOST_SIZES) return t("run.many_sizes", { n: images.length, sizes: found.size });
  return [...found.values()].map((each) => t("run.size", each)).join(", ");
}

/**
 * What failed; elements that failed alike are one line.
 * @param {Info[]} infos @param {boolean} whole With what it cost, and where a kept answer is.
 */
function failedLines(infos, whole) {
  /** @type {Map<string, Set<number | undefined>>} */
  const elementsOf = new Map();
  for (const info of infos) {
    for (const failed of info.failed) {
      const kept = failed.answer ? t("run.kept", { file: failed.answer }) : "";
      const text = !whole ? failed.reason : sentences(failed.reason, t(`charged.${failed.charged}`), kept);
      elementsOf.set(text, (elementsOf.get(text) ?? new Set()).add(info.element));
    }
  }
  return [...elementsOf].map(([text, elements]) => {
    const numbers = [...elements].filter((number) => number !== undefined);
    return numbers.length ? ofElements(numbers, text) : text;
  });
}

/** @param {number[]} numbers @param {string} text */
const ofElements = (numbers, text) => t("run.of_elements", { n: numbers.length, elements: named(numbers), text });

/** Places as "1, 4–9": three and more in a row are a range. @param {number[]} numbers Ascending. */
function named(numbers) {
  /** @type {number[][]} */
  const runs = [];
  for (const number of numbers) {
    const last = runs.at(-1);
    if (last?.at(-1) === number - 1) last.push(number);
    else runs.push([number]);
  }
  const parts = runs.flatMap((run) => (run.length < 3 ? run.map(String) : [`${run[0]}–${run.at(-1)}`]));
  return (parts.length > MOST_NAMED ? [...parts.slice(0, MOST_NAMED), "…"] : parts).join(", ");
}

/**
 * Every notice once; one that not all elements have names those that have it. Those that name a failed element are in its line.
 * @param {Info[]} infos
 */
function noticeLines(infos) {
  const failures = infos.flatMap((info) => info.failed.map((failed) => ofElements([info.element ?? 0], failed.reason).toLowerCase()));
  const notices = [...new Set(infos.flatMap((info) => info.notices))];
  return notices
    .filter((notice) => !failures.some((line) => notice.toLowerCase().startsWith(line)))
    .map((notice) => {
      const elements = infos.filter((info) => info.notices.includes(notice)).map((info) => info.element ?? 0);
      if (elements.length === infos.length) return notice;
      return ofElements(elements, notice);
    });
}
