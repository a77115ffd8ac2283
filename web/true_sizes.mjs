/**
 * Captions of the host with the sizes of the pictures themselves. The host shows a small preview of a picture on the node and
 * writes the size of the preview below it.
 */

import { app } from "/scripts/app.js";
import { isVue } from "./canvas_events.mjs";

/** @typedef {{ width: number, height: number }} Size */

const MOST_FILES = 2000;

/** What came of a node's last run. @type {WeakMap<Comfy.Node, Size[]>} */
const sizesOfNodes = new WeakMap();

/** The sizes of the pictures whose previews are in files, by the name of the file; the latest ones. @type {Map<string, Size>} */
const sizesOfFiles = new Map();

/** What was seen of an image: each frame of the classic canvas asks again. @type {WeakMap<HTMLImageElement, string>} */
const settled = new WeakMap();

/** @param {string} file @param {Size} size Of the picture itself. */
export function rememberFile(file, { width, height }) {
  sizesOfFiles.set(file, { width, height });
  if (sizesOfFiles.size > MOST_FILES) sizesOfFiles.delete(String(sizesOfFiles.keys().next().value));
}

/** The size of the picture whose preview is in a file. @param {string} file */
export const sizeOfFile = (file) => sizesOfFiles.get(file);

/** @param {Comfy.Node} node @param {Size[]} sizes Of the pictures that its run has made; empty while it runs. */
export function rememberSizes(node, sizes) {
  sizesOfNodes.set(node, sizes);
  labelPreviews(node);
}

/** Gives the previews on a node the size of their picture, in both renderers. @param {Comfy.Node} node */
export function labelPreviews(node) {
  const sizes = sizesOfNodes.get(node) ?? [];
  for (const image of /** @type {{ imgs?: HTMLImageElement[] }} */ (node).imgs ?? []) label(image, sizes);
  if (!isVue()) return; // the classic canvas comes here with each frame, and has no element for a node
  for (const image of document.querySelectorAll(`.lg-node[data-node-id="${CSS.escape(String(node.id))}"] img`)) {
    if (label(/** @type {HTMLImageElement} */ (image), sizes)) image.dispatchEvent(new Event("load")); // the host reads it again
  }
}

// Nodes 2.0 read the size as soon as a picture is loaded; the same element shows one preview after the other.
document.addEventListener(
  "load",
  ({ target, isTrusted }) => {
    const id = target instanceof HTMLImageElement && target.closest(".lg-node")?.getAttribute("data-node-id");
    if (!id || !isTrusted) return; // else it is the event that is sent above
    Reflect.deleteProperty(target, "naturalWidth");
    Reflect.deleteProperty(target, "naturalHeight");
    settled.delete(target);
    const node = app.canvas?.graph?.getNodeById(id);
    label(target, (node && sizesOfNodes.get(/** @type {Comfy.Node} */ (node))) ?? []);
  },
  true,
);

/** @param {HTMLImageElement} image @param {Size[]} sizes Of its node. @returns {boolean} Whether it has another size now. */
function label(image, sizes) {
  if (settled.get(image) === image.src || !image.complete || !image.naturalWidth || Object.hasOwn(image, "naturalWidth")) return false;
  const size = sizeOf(image, sizes);
  if (!size) return false;
  settled.set(image, image.src);
  if (size.width === image.naturalWidth) return false;
  Object.defineProperty(image, "naturalWidth", { value: size.width, configurable: true });
  Object.defineProperty(image, "naturalHeight", { value: size.height, configurable: true });
  return true;
}

/** @param {HTMLImageElement} image @param {Size[]} sizes @returns {Size | undefined} */
function sizeOf({ src, naturalWidth, naturalHeight }, sizes) {
  const file = src.startsWith("blob:") ? null : new URL(src).searchParams.get("filename");
  if (file) return sizesOfFiles.get(file);
  if (!src.startsWith("blob:")) return undefined;
  const shape = naturalWidth / naturalHeight;
  const rounding = 1 / Math.min(naturalWidth, naturalHeight); // a draft's preview is small
  return sizes.findLast(({ width, height }) => Math.abs(width / height / shape - 1) < 0.02 + rounding);
}
