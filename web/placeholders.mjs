/**
 * What an empty text field says, in the chosen language. The frontend looks up names and tooltips of widgets but takes
 * placeholders from the schema, in English; in the classic renderer they are all the name that such a field has.
 * Nodes 2.0 shows no placeholders. Called for each new node.
 */
import { isImageNode, widgetOf } from "./graph.mjs";
import { t, translated } from "./i18n.mjs";

const FIELDS = ["prompt", "system_prompt"];

/** @param {Comfy.Node} node */
export function translatePlaceholders(node) {
  if (!translated() || !isImageNode(node)) return;
  for (const name of FIELDS) {
    const field = /** @type {{ element?: unknown } | undefined} */ (widgetOf(node, name))?.element;
    if (field instanceof HTMLTextAreaElement) field.placeholder = t(`placeholder.${name}`);
  }
}
