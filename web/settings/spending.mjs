/** What was spent, the caps, and what to do when a request may have been paid. */
import { el } from "../dom.mjs";
import { labelOf } from "../provider_store.mjs";
import { ask } from "../server.mjs";
import { money, t, spentOf } from "../i18n.mjs";
import { setting } from "./field.mjs";

/** @param {import("./panel.mjs").Shared} shared */
export async function spendingSection(shared) {
  const [spent, overview] = await Promise.all([ask("/spend?by=provider&days=30"), shared.overview()]);
  /** @param {{ pictures: number, usd: number, usd_in_doubt: number }} sum @param {number | null | undefined} cap */
  const words = (sum, cap) => {
    const parts = [spentOf(sum.usd, cap), t("spend.pictures", { n: sum.pictures })];
    if (sum.usd_in_doubt) parts.push(t("spend.doubt", { usd: money(sum.usd_in_doubt) }));
    return parts.join(" · ");
  };
  return el(
    "section",
    {},
    el("h3", {}, t("spend.title")),
    el("p", { class: "nb-sum" }, `${t("spend.today")} `, el("strong", {}, words(spent.today, spent.caps.day))),
    el("p", { class: "nb-sum" }, `${t("spend.month")} `, el("strong", {}, words(spent.month, spent.caps.month))),
    ...(spent.rows ?? [])
      .filter((/** @type {any} */ row) => row.usd > 0)
      .map((/** @type {any} */ row) =>
        el("p", { class: "nb-quiet nb-sum" }, t("spend.days", { provider: labelOf(row.provider), sum: words(row, null) })),
      ),
    overview,
    setting(shared, "cap_run", t("spend.cap_run"), { prefix: "$", hint: t("spend.cap_hint") }),
    setting(shared, "cap_day", t("spend.cap_day"), { prefix: "$" }),
    setting(shared, "cap_month", t("spend.cap_month"), { prefix: "$" }),
    setting(shared, "on_unknown", t("spend.on_unknown"), {
      choices: [
        ["ask", t("spend.ask")],
        ["resend", t("spend.resend")],
      ],
      hint: t("spend.on_unknown_hint"),
    }),
    setting(shared, "missing_provider", t("spend.missing"), {
      choices: [
        ["fail", t("spend.missing_fail")],
        ["substitute", t("spend.missing_substitute")],
      ],
    }),
  );
}
