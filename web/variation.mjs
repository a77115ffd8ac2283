/** A new variation of a node's pictures. */
import { app } from "/scripts/app.js";
import { confirmDialog } from "./dialog.mjs";
import { showEmptyPrompt } from "./empty_prompt.mjs";
import { asOneUndoStep, governing, hasEmptyPrompt, promptFor, setWidget } from "./graph.mjs";
import { missingPictures } from "./missing_pictures.mjs";
import { showRunNotes } from "./node_footer.mjs";
import { addPreview, needsPreview } from "./output_nodes.mjs";
import { queueMode, withoutAutoQueue } from "./queue_mode.mjs";
import { partOnCanvas, queuePart } from "./workflow_part.mjs";
import { money, t } from "./i18n.mjs";

/**
 * A new seed, then the queue: with the same seed the stored picture would come again. Pictures that go nowhere get a node that
 * shows them: without one the host refuses the run. What the nodes before it would pay for is asked about then.
 * @param {Comfy.Node} node
 */
export async function queueNewVariation(node) {
  if (!governing(node, "seed").widget) {
    showRunNotes(node, [{ text: t("variation.linked"), tone: "warn" }]);
    return;
  }
  if (hasEmptyPrompt(node)) {
    showEmptyPrompt(node);
    return;
  }
  const isLoose = needsPreview(node);
  if (isLoose && !(await agreesToSources(node))) return;
  const [random] = crypto.getRandomValues(new Uint32Array(1));
  // A Preview Image that stays would make a queue that runs by itself pay at each later change.
  const isAlone = isLoose && queueMode() !== "disabled";
  withoutAutoQueue(() =>
    asOneUndoStep(() => {
      if (isLoose && !isAlone) addPreview(node);
      setWidget(node, "seed", Number(random) >>> 1);
    }),
  );
  const part = isAlone ? await partOnCanvas(node) : null;
  if (part) await queuePart(part);
  else await app.queuePrompt(0, 1);
}

/** Asks where pictures that a node is fed with are paid, too: the price on the node is its own. @param {Comfy.Node} node */
async function agreesToSources(node) {
  const unknown = { n: 0, usd: null, sure: false };
  const { n, usd, sure } = await missingPictures(promptFor([node]), "0").catch(() => unknown);
  if (n <= 0 && sure) return true;
  const question = sure ? "variation.sources" : usd ? "variation.sources_about" : "variation.sources_unknown";
  return confirmDialog(t(question, { n, usd: money(usd) }), t("variation.button"));
}
