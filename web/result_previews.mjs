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

/** @typedef {{ filename: string, subfolder?: string, type?: string }} File */

const MOST_FILES = 2000;

/** The files of the pictures of each node's last run that gave any. @type {WeakMap<Comfy.Node, File[]>} */
const last = new WeakMap();
/** The seeds of pictures that the host shows, by the name of the file; the latest ones. @type {Map<string, number>} */
const seeds = new Map();

/** @param {Comfy.Node} node @param {Output} output */
export function showPreviews(node, output) {
  /** @type {Preview[]} */
  const previews = (output.nano_banana_previews ?? []).map((text) => JSON.parse(text));
  if (!previews.length) return;
  for (const preview of previews) rememberFile(preview.filename, preview);
  const images = previews.map(({ filename, subfolder, type }) => ({ filename, subfolder, type }));
  last.set(node, images);
  rememberSeed(String(previews[0]?.filename), output);
  output.images = images;
  showPictures(node, images);
  // The host prefers the picture that came last as long as it has it.
  if (host().nodePreviewImages) delete host().nodePreviewImages?.[placeOf(node)];
  node.graph?.setDirtyCanvas?.(true, true);
}

/** The files of the pictures that a node's last run gave, as far as this page knows. @param {Comfy.Node} node */
export const lastPictures = (node) => last.get(node);

/** Shows pictures of a node instead of what the host has put in their place. @param {Comfy.Node} node @param {File[]} images */
export function showPictures(node, images) {
  const outputs = host().nodeOutputs;
  const shown = outputs?.[placeOf(node)];
  if (!outputs || !shown) return;
  shown.images = images;
  outputs[placeOf(node)] = shown; // newer frontends draw again when it is set
}

/** The seed of the first picture of a run. @param {string} file Of its preview. @param {Output} output */
function rememberSeed(file, output) {
  const [first] = JSON.parse(output.nano_banana?.[0] ?? "{}").images ?? [];
  if (first?.slot !== 0 || !Number.isInteger(first.seed)) return;
  seeds.set(file, first.seed);
  if (seeds.size > MOST_FILES) seeds.delete(String(seeds.keys().next().value));
}

/** The seed that a node had when it made the pictures that it shows. @param {File[] | undefined} images */
export const seedOf = (images) => seeds.get(String(images?.[0]?.filename));

/** Whether a node shows a picture, of whatever run. @param {Comfy.Node} node */
export function hasPicture(node) {
  if (isVue()) return hasOutputs(node) || Boolean(host().nodePreviewImages?.[placeOf(node)]?.length);
  return Boolean(/** @type {{ imgs?: unknown[] }} */ (node).imgs?.length);
}

/** Whether the host keeps pictures for a node; the classic canvas loads them when it draws it. @param {Comfy.Node} node */
export const hasOutputs = (node) => Boolean(host().nodeOutputs?.[placeOf(node)]?.images?.length);

const host = () => /** @type {{ nodeOutputs?: Record<string, any>, nodePreviewImages?: Record<string, string[]> }} */ (app);

/** The name under which the host keeps what a node shows. @param {Comfy.Node} node */
function placeOf(node) {
  const graph = /** @type {any} */ (node.graph);
  return graph && graph !== (app.rootGraph ?? app.graph) ? `${graph.id}:${node.id}` : String(node.id);
}
