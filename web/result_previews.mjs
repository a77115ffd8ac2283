/**
 * The pictures of a run on its node: the host shows them as it shows those of its own nodes, all of them in a grid, a single one
 * with its size below. Until a run has ended the host shows the picture that came last.
 */
import { app } from "/scripts/app.js";
import { isVue } from "./canvas_events.mjs";
import { rememberFile } from "./true_sizes.mjs";

/** @typedef {{ filename: string, subfolder: string, type: string, width: number, height: number }} Preview Size of the picture itself. */

/**
 * @typedef {{ nano_banana?: string[], nano_banana_messages?: string[], nano_banana_previews?: string[], images?: unknown[] }} Output
 *   What the event of a node's end carries.
 */

/** The files of the pictures of each node's last run that gave any. @type {WeakMap<Comfy.Node, Omit<Preview, "width" | "height">[]>} */
const last = new WeakMap();

/** @param {Comfy.Node} node @param {Output} output */
export function showPreviews(node, output) {
  /** @type {Preview[]} */
  const previews = (output.nano_banana_previews ?? []).map((text) => JSON.parse(text));
  if (!previews.length) return;
  for (const preview of previews) rememberFile(preview.filename, preview);
  const images = previews.map(({ filename, subfolder, type }) => ({ filename, subfolder, type }));
  last.set(node, images);
  output.images = images;
  showLastPreviews(node);
  // The host prefers the picture that came last as long as it has it.
  if (host().nodePreviewImages) delete host().nodePreviewImages?.[placeOf(node)];
  node.graph?.setDirtyCanvas?.(true, true);
}

/** Shows the pictures of a node's last run instead of what the host has put in their place. @param {Comfy.Node} node */
export function showLastPreviews(node) {
  const shown = host().nodeOutputs?.[placeOf(node)];
  const images = last.get(node);
  if (shown && images) shown.images = images;
}

/** Whether a node shows a picture, of whatever run. @param {Comfy.Node} node */
export function hasPicture(node) {
  const place = placeOf(node);
  if (isVue()) return Boolean(host().nodeOutputs?.[place]?.images?.length || host().nodePreviewImages?.[place]?.length);
  return Boolean(/** @type {{ imgs?: unknown[] }} */ (node).imgs?.length);
}

const host = () => /** @type {{ nodeOutputs?: Record<string, any>, nodePreviewImages?: Record<string, string[]> }} */ (app);

/** The name under which the host keeps what a node shows. @param {Comfy.Node} node */
function placeOf(node) {
  const graph = /** @type {any} */ (node.graph);
  return graph && graph !== (app.rootGraph ?? app.graph) ? `${graph.id}:${node.id}` : String(node.id);
}
