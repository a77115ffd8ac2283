/** A new variation of a node's pictures. */
import { app } from "/scripts/app.js";
import { asOneUndoStep, governing, setWidget } from "./graph.mjs";
import { showRunNotes } from "./node_footer.mjs";
import { ensureOutput } from "./output_nodes.mjs";
import { t } from "./i18n.mjs";

/**
 * A new seed, then the queue: with the same seed the stored picture would come again. Pictures that go nowhere get a node that
 * shows them: without one the host refuses the run.
 * @param {Comfy.Node} node
 */
export async function queueNewVariation(node) {
  if (!governing(node, "seed").widget) {
    showRunNotes(node, [{ text: t("variation.linked"), tone: "warn" }]);
    return;
  }
  const [random] = crypto.getRandomValues(new Uint32Array(1));
  asOneUndoStep(() => {
    ensureOutput(node);
    setWidget(node, "seed", Number(random) >>> 1);
  });
  await app.queuePrompt(0, 1);
}
