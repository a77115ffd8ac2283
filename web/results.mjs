/** The sidebar tab of the results, and what the rest of the page asks of it. */
import { t } from "./i18n.mjs";
import { followDrops } from "./results/drag.mjs";
import { Gallery } from "./results/gallery.mjs";
import { ask } from "./server.mjs";
import { toast } from "./toast.mjs";

/** @type {Gallery | null} */
let shown = null;

/** @returns {Comfy.SidebarTab} */
export function resultsTab() {
  followDrops();
  return {
    id: "nano-banana-results",
    title: t("results.title"),
    tooltip: t("results.tooltip"),
    icon: "pi pi-images",
    type: "custom",
    render(container) {
      shown = new Gallery({ recoverAll, recover, read: (id) => rereadAnswers([id]) });
      container.classList.add("nb-results-frame");
      container.replaceChildren(shown.root);
      void shown.reload();
    },
    destroy() {
      shown = null;
    },
  };
}

/** Something new may have come in. */
export function refreshResults() {
  shown?.later();
}

/** Fetches what is paid and not here yet, and says what came of it. */
export async function recoverAll() {
  showRecoveryToast(await ask("/results/recover", { method: "POST" }));
  refreshResults();
}

/** The same for one picture. @param {string} id */
async function recover(id) {
  showRecoveryToast(await ask(`/results/${encodeURIComponent(id)}/recover`, { method: "POST" }));
}

/** @param {{ ended: boolean, failed: number, text: string }} answer */
function showRecoveryToast({ ended, failed, text }) {
  const words = ended ? text || t("results.nothing_to_recover") : t("results.still_recovering");
  toast(failed ? "warn" : "success", t("results.recover"), words);
}

/**
 * Has kept answers read again, in which no picture could be read, and says what came of it.
 * @param {string[]} ids A picture of each answer.
 * @returns {Promise<{ pictures: number, reasons: string[] }>} What could be read, and why the rest could not.
 */
export async function rereadAnswers(ids) {
  let pictures = 0;
  /** @type {Set<string>} */
  const reasons = new Set();
  for (const id of ids) {
    const found = await ask(`/results/${encodeURIComponent(id)}/read`, { method: "POST" });
    pictures += found.pictures;
    if (found.reason) reasons.add(found.reason);
  }
  const lines = pictures ? [t("results.was_read", { n: pictures })] : [];
  if (reasons.size) lines.push(t("results.still_unread"), ...reasons);
  toast(reasons.size ? "warn" : "success", t("results.read"), lines.join("\n"));
  refreshResults();
  return { pictures, reasons: [...reasons] };
}
