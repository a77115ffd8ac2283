/** What was spent today, above the results: a button that opens the chart. */
import { button } from "../dom.mjs";
import { spentOf, t } from "../i18n.mjs";
import { ask } from "../server.mjs";
import { openSpending } from "../spending/overview.mjs";

export class SpentToday {
  constructor() {
    this.root = button("", openSpending, { class: "nb-link nb-quiet", title: t("chart.title"), hidden: true });
  }

  /** Stays as it is where the server gives no answer: the list says what is wrong. */
  async refresh() {
    const spent = await ask("/spend").catch(() => null);
    if (!spent) return;
    this.root.hidden = false;
    this.root.textContent = `${t("spend.today")} ${spentOf(spent.today.usd, spent.caps.day)}`;
  }
}
