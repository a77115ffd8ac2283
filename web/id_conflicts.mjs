/** Says which node ids another pack has, too: the host runs the class that was loaded last, without a word. */
import { app } from "/scripts/app.js";
import { ask } from "./server.mjs";
import { toast } from "./toast.mjs";
import { t } from "./i18n.mjs";

/** @typedef {{ node: string, pack: string, taken: boolean }} Conflict `taken`: the host runs the other pack's node. */

/** Where this browser keeps which replaced nodes it has named; nodes that were taken are named at each load. */
const NAMED_KEY = "nano_banana.replaced_nodes";

/** Shows a message for each pack. */
export async function showIdConflicts() {
  /** @type {Conflict[]} */
  const conflicts = (await ask("/node_ids")).conflicts;
  for (const pack of new Set(conflicts.map((each) => each.pack))) {
    showTaken(pack, namesOf(conflicts.filter((each) => each.pack === pack && each.taken)));
    showReplaced(pack, namesOf(conflicts.filter((each) => each.pack === pack && !each.taken)));
  }
}

/** @param {Conflict[]} conflicts */
const namesOf = (conflicts) => conflicts.map((each) => each.node).join(", ");

/** Stays until it is closed. @param {string} pack @param {string} nodes */
function showTaken(pack, nodes) {
  if (!nodes) return;
  const detail = t("ids.taken", { nodes, pack });
  app.extensionManager.toast.add({ severity: "warn", summary: t("ids.taken_title"), detail });
}

/** @param {string} pack @param {string} nodes */
function showReplaced(pack, nodes) {
  const key = `${pack}: ${nodes}`;
  if (!nodes || localStorage.getItem(NAMED_KEY) === key) return;
  localStorage.setItem(NAMED_KEY, key);
  toast("warn", t("ids.replaced_title"), t("ids.replaced", { nodes, pack }));
}
