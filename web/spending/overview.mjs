/** The chart of what was spent, and the bill it is compared with: in the settings, and from the results panel. */
import { el } from "../dom.mjs";
import { openDialog } from "../dialog.mjs";
import { labelOf } from "../provider_store.mjs";
import { ask } from "../server.mjs";
import { t } from "../i18n.mjs";
import { billForm } from "./bill.mjs";
import { spendChart } from "./chart.mjs";

/** @typedef {import("./chart.mjs").SpendRow} SpendRow */

const SHOWN_DAYS = 30;
const KNOWN_DAYS = 366;

/** The chart and the bill. */
export async function spendOverview() {
  /** @type {SpendRow[]} */
  const rows = (await ask(`/spend?by=day,provider&days=${KNOWN_DAYS}`)).rows ?? [];
  return el("div", {}, spendChart(rows, lastDays(SHOWN_DAYS), labelOf), billForm(rows, labelOf));
}

/** The same in a dialog. */
export async function openSpending() {
  const overview = await spendOverview();
  openDialog(t("chart.title")).body.append(overview);
}

/** The last days up to today, as the server writes them. @param {number} count */
function lastDays(count) {
  const part = (/** @type {number} */ value) => String(value).padStart(2, "0");
  return Array.from({ length: count }, (_, index) => {
    const at = new Date();
    at.setDate(at.getDate() - (count - 1 - index));
    return `${at.getFullYear()}-${part(at.getMonth() + 1)}-${part(at.getDate())}`;
  });
}
