/** What was spent, the caps, and what to do when a request may have been paid. */
import { el } from "../element.mjs";
import { machine } from "../machine.mjs";
import { ask } from "../server.mjs";
import { money, say, spentOf } from "../words.mjs";
import { setting } from "./field.mjs";

/** @param {string} provider */
const labelOf = (provider) => machine.provider(provider)?.label ?? provider;

/** @param {import("./panel.mjs").Shared} shared */
export async function spendingSection(shared) {
  const spent = await ask("/spend?by=provider&days=30");
  /** @param {{ pictures: number, usd: number, usd_in_doubt: number }} sum @param {number | null | undefined} cap */
  const words = (sum, cap) => {
    const parts = [spentOf(sum.usd, cap), say("spend.pictures", { n: sum.pictures })];
    if (sum.usd_in_doubt) parts.push(say("spend.doubt", { usd: money(sum.usd_in_doubt) }));
    return parts.join(" · ");
  };
  return el(
    "section",
    {},
    el("h3", {}, say("spend.title")),
    el("p", { class: "nb-sum" }, `${say("spend.today")} `, el("strong", {}, words(spent.today, spent.caps.day))),
    el("p", { class: "nb-sum" }, `${say("spend.month")} `, el("strong", {}, words(spent.month, spent.caps.month))),
    ...(spent.rows ?? [])
      .filter((/** @type {any} */ row) => row.usd > 0)
      .map((/** @type {any} */ row) =>
        el("p", { class: "nb-quiet nb-sum" }, say("spend.days", { provider: labelOf(row.provider), sum: words(row, null) })),
      ),
    setting(shared, "cap_run", say("spend.cap_run"), { suffix: "$", hint: say("spend.cap_hint") }),
    setting(shared, "cap_day", say("spend.cap_day"), { suffix: "$" }),
    setting(shared, "cap_month", say("spend.cap_month"), { suffix: "$" }),
    setting(shared, "on_unknown", say("spend.on_unknown"), {
      choices: [
        ["ask", say("spend.ask")],
        ["resend", say("spend.resend")],
      ],
      hint: say("spend.on_unknown_hint"),
    }),
    setting(shared, "missing_provider", say("spend.missing"), {
      choices: [
        ["fail", say("spend.missing_fail")],
        ["substitute", say("spend.missing_substitute")],
      ],
    }),
  );
}
