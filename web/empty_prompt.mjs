/** A node without a prompt makes no picture: its run is refused here where the host would first need a Preview Image for it. */
import { hasEmptyPrompt } from "./graph.mjs";
import { showRunNotes } from "./node_footer.mjs";
import { looseNodes } from "./output_nodes.mjs";
import { t } from "./i18n.mjs";

/** Says on a node that its prompt is empty. @param {Comfy.Node} node */
export const showEmptyPrompt = (node) => showRunNotes(node, [{ text: t("prompt.write"), title: t("prompt.empty"), tone: "bad", kind: "prompt" }]);

/**
 * Whether a run is left to the host, as far as empty prompts go. Nodes that would get a Preview Image and have no prompt say so.
 * @param {string[] | undefined} targets Ids of the nodes that are asked for; undefined: all.
 */
export function refuseEmptyPrompts(targets) {
  const loose = looseNodes(targets);
  const empty = loose.filter(hasEmptyPrompt);
  empty.forEach(showEmptyPrompt);
  return !empty.length || empty.length < loose.length;
}
