/**
 * The pictures of a run on its node: the host shows them as it shows those of its own nodes, all of them in a grid, a single one
 * with its size below. Until a run has ended the host shows the picture that came last.
 */
import { app } from "/scripts/app.js";
import { rememberFile } from "./true_sizes.mjs";

/** @typedef {{ filename: string, subfolder: string, type: string, width: number, height: number }} Preview Size of the picture itself. */

/**
 * @typedef {{ nano_banana?: string[], nano_banana_messages?: string[], nano_banana_previews?: string[], images?: unknown[] }} Output
 *   What the event of a node's end carries.
 */

/** @param {Comfy.Node} node @param {Output} output */
export function showPreviews(node, output) {
  /** @type {Preview[]} */
  const previews = (output.nano_banana_previews ?? []).map((text) => JSON.parse(text));
  if (!previews.length) return;
  for (const preview of previews) rememberFile(preview.filename, preview);
  const images = previews.map(({ filename, subfolder, type }) => ({ filename, subfolder, type }));
  const place = placeOf(node);
  const host = /** @type {{ nodeOutputs?: Record<string, any>, nodePreviewImages?: Record<string, string[]> }} */ (app);
  output.images = images;
  if (host.nodeOutputs?.[place]) host.nodeOutputs[place].images = images;
  // The host prefers the picture that came last as long as it has it.
  if (host.nodePreviewImages) delete host.nodePreviewImages[place];
  node.graph?.setDirtyCanvas?.(true, true);
}

/** The name under which the host keeps what a node shows. @param {Comfy.Node} node */
function placeOf(node) {
  const graph = /** @type {any} */ (node.graph);
  return graph && graph !== (app.rootGraph ?? app.graph) ? `${graph.id}:${node.id}` : String(node.id);
}
