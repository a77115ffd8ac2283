/** Compares what was counted here with a bill that a person types in. */
import { el } from "../dom.mjs";
import { money, sumText, t } from "../i18n.mjs";

/** @typedef {import("./chart.mjs").SpendRow} SpendRow */

/** Bills are in cents: less is no difference. */
const CENT = 0.005;

/** @param {SpendRow[]} rows @param {(provider: string) => string} label */
export function billForm(rows, label) {
  const paid = rows.filter((row) => row.usd > 0);
  const months = [...new Set(paid.map((row) => row.day.slice(0, 7)))].sort().reverse();
  const providers = [...new Set(paid.map((row) => row.provider))].sort();
  if (!paid.length) return el("p", { class: "nb-quiet" }, t("bill.nothing_spent"));
  const answer = el("p", { class: "nb-sum", role: "status" });
  const provider = choice("bill.provider", providers.map((each) => [each, label(each)]));
  const month = choice("bill.month", months.map((each) => [each, each]));
  const amount = el("input", { inputmode: "decimal", size: "8", placeholder: "0.00", "aria-label": t("bill.amount") });
  const show = () => {
    const billed = Number(amount.value.trim().replace(/^\$/, "").replace(",", "."));
    if (!amount.value.trim()) answer.textContent = "";
    else if (!Number.isFinite(billed) || billed < 0) answer.textContent = t("bill.no_number", { text: amount.value });
    else answer.textContent = compared(paid.filter((row) => row.provider === provider.value && row.day.startsWith(month.value)), billed);
  };
  for (const each of [provider, month, amount]) each.addEventListener("input", show);
  return el(
    "fieldset",
    { class: "nb-bill" },
    el("legend", {}, t("bill.title")),
    el("div", { class: "nb-row" }, provider, month, el("label", { class: "nb-inline" }, "$", amount)),
    answer,
    el("p", { class: "nb-quiet" }, t("bill.hint")),
  );
}

/** What the difference is. @param {SpendRow[]} rows @param {number} billed In dollars. */
function compared(rows, billed) {
  const counted = rows.reduce((sum, row) => sum + row.usd, 0);
  const doubt = rows.reduce((sum, row) => sum + row.usd_in_doubt, 0);
  const difference = billed - counted;
  const facts = { counted: sumText(counted), billed: sumText(billed), usd: money(Math.abs(difference)) };
  if (Math.abs(difference) < CENT) return t("bill.equal", facts);
  if (difference > 0) return t("bill.more", facts);
  return doubt && -difference <= doubt + CENT ? t("bill.less_in_doubt", { ...facts, doubt: money(doubt) }) : t("bill.less", facts);
}

/** @param {string} name @param {[string, string][]} choices */
const choice = (name, choices) =>
  el("select", { "aria-label": t(name) }, ...choices.map(([id, text]) => el("option", { value: id }, text)));
