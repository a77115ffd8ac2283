/**
 * The host offers its MaskEditor on every node that shows a picture, and keeps what was painted in a widget `image`, which nodes
 * of ours don't have: it would be lost. A Load Image with the painted mask is connected instead, to the edit, or to a new edit of
 * what a Generate makes.
 */
import { app } from "/scripts/app.js";
import { freePlaceBeside } from "./free_place.mjs";
import { asOneUndoStep, hasLink, isImageNode, linkOf } from "./graph.mjs";
import { addLoadImage, LOAD_IMAGE_SIZE, setFile } from "./load_image.mjs";
import { showLastPreviews } from "./result_previews.mjs";
import { toast } from "./toast.mjs";
import { t } from "./i18n.mjs";

/** @typedef {any} Node A node of the host, whose inside its types don't describe. */
/** @typedef {{ filename: string, subfolder?: string, type?: string }} File */

const EDIT = "NanoBananaEdit";
/** How the MaskEditor names the file with the picture, what was painted on it, and the mask as its alpha. */
const PAINTED = /^clipspace-painted-masked-/;
/** Slot of the mask among a LoadImage's outputs. */
const MASK = 1;

/** Looks at the pictures that the host gives a node. @param {Comfy.Node} node That was just made. */
export function followPaintedMasks(node) {
  if (!isImageNode(node)) return;
  /** @type {File[] | undefined} */
  let images;
  /** @type {Set<string>} */
  const seen = new Set();
  const painted = (/** @type {File} */ file) => {
    images = undefined; // the classic canvas then loads the node's own picture again
    showLastPreviews(node);
    if (seen.has(file.filename)) return;
    seen.add(file.filename);
    // The host has more to do with the node in the same turn.
    queueMicrotask(() => {
      showLastPreviews(node);
      if (node.graph) connectMask(node, file);
    });
  };
  Object.defineProperty(node, "images", {
    configurable: true,
    enumerable: true,
    get: () => images,
    set: (/** @type {File[] | undefined} */ given) => {
      const file = given?.[0];
      if (file?.type === "input" && PAINTED.test(String(file.filename))) painted(file);
      else images = given;
    },
  });
}

/** @param {Node} node @param {File} file */
function connectMask(node, file) {
  const name = `${file.subfolder ? `${file.subfolder}/` : ""}${file.filename} [input]`;
  asOneUndoStep(() => {
    const edit = node.comfyClass === EDIT ? node : addEditOf(node);
    const slot = slotOf(edit, "mask");
    if (slot < 0) return;
    const before = paintedBefore(edit, slot);
    if (before) setFile(before, name);
    else addLoadImage(edit.graph, name, freePlaceBeside(edit, LOAD_IMAGE_SIZE, "left")).connect(MASK, edit, slot);
    toast("success", t("painted.title"), t(edit === node ? "painted.connected" : "painted.new_edit", { node: String(edit.title) }));
  });
  app.canvas?.setDirty?.(true, true);
}

/** The LoadImage that gives an edit its mask and nothing else: one that was painted before. @param {Node} edit @param {number} slot */
function paintedBefore(edit, slot) {
  const link = linkOf(edit.graph, edit.inputs[slot].link);
  const origin = link && edit.graph.getNodeById(link.origin_id);
  const isOnlyMask = origin?.comfyClass === "LoadImage" && !origin.outputs[0].links?.length && origin.outputs[MASK].links?.length === 1;
  return isOnlyMask ? origin : undefined;
}

/** An edit of what a node makes, at its provider. @param {Node} node @returns {Node} */
function addEditOf(node) {
  const edit = /** @type {any} */ (window).LiteGraph.createNode(EDIT);
  edit.pos = freePlaceBeside(node, edit.size, "right");
  node.graph.add(edit);
  node.connect(0, edit, slotOf(edit, "images.image_1"));
  const provider = node.inputs.find((/** @type {any} */ input) => input.name === "provider");
  const link = hasLink(provider) ? linkOf(node.graph, provider.link) : undefined;
  const origin = link && node.graph.getNodeById(link.origin_id);
  origin?.connect(link.origin_slot, edit, slotOf(edit, "provider"));
  app.canvas?.centerOnNode?.(edit); // its prompt is to be written
  return edit;
}

/** @param {Node} node @param {string} name */
const slotOf = (node, name) => node.inputs.findIndex((/** @type {any} */ input) => input.name === name);
