/**
 * The host offers its MaskEditor on every node that shows a picture, and keeps what was painted in a widget `image`, which nodes
 * of ours don't have: it would be lost. A Load Image with the painted mask is connected instead, to the edit, or to a new edit of
 * what a Generate makes.
 */
import { app } from "/scripts/app.js";
import { freePlaceBeside } from "./free_place.mjs";
import { asOneUndoStep, governing, hasLink, isImageNode, linkOf, ourNodes, seedControl, setWidget, slotOf, sourceOf, SUBGRAPH_INPUT } from "./graph.mjs";
import { addLoadImage, LOAD_IMAGE_SIZE, setFile } from "./load_image.mjs";
import { connectPreview } from "./output_nodes.mjs";
import { lastPictures, seedOf, showPictures } from "./result_previews.mjs";
import { showNode } from "./show_node.mjs";
import { toast } from "./toast.mjs";
import { sizeOfFile } from "./true_sizes.mjs";
import { sentences, t } from "./i18n.mjs";

/** @typedef {any} Node A node of the host, whose inside its types don't describe. */
/** @typedef {{ filename: string, subfolder?: string, type?: string }} File */

const EDIT = "NanoBananaEdit";
/** How the MaskEditor names the file with the picture, what was painted on it, and the mask as its alpha. */
const PAINTED = /^clipspace-painted-masked-/;
/** Slot of the mask among a LoadImage's outputs. */
const MASK = 1;
/** A mask whose aspect ratio differs more from that of the picture is refused in the run. */
const MOST_OFF = 0.01;

/** @typedef {{ workflow: unknown, graph: string, id: string }} Place Of a node, also after an undo has made it anew. */
/**
 * What each painted file was painted on, by its name; no place where that is not open any more. An undo makes new nodes and keeps
 * what the host shows on them: a file that is here is not new. @type {Map<string, { place: Place | null, own: File[] | undefined }>}
 */
const paintings = new Map();

/**
 * Where a node is; null where it is in nothing that is open: while a person paints, another workflow may be opened.
 * @param {Node} node @returns {Place | null}
 */
function placeOf(node) {
  if (!ourNodes().some((each) => each.node === node)) return null;
  const graph = node.graph === (app.rootGraph ?? app.graph) ? "" : String(node.graph.id);
  return { workflow: app.extensionManager.workflow?.activeWorkflow, graph, id: String(node.id) };
}

/** @param {Place | null} one @param {Place | null} other */
const isSamePlace = (one, other) => one?.workflow === other?.workflow && one?.graph === other?.graph && one?.id === other?.id;

/** Looks at the pictures that the host gives a node. @param {Comfy.Node} node That was just made. */
export function followPaintedMasks(node) {
  if (!isImageNode(node)) return;
  /** What the classic canvas draws. @type {File[] | undefined} */
  let images;
  /** The pictures that the node has made, as long as something painted is not one of them. @type {File[] | undefined} */
  let own;
  const painted = (/** @type {File} */ file, /** @type {File[] | undefined} */ given) => {
    const known = paintings.get(file.filename);
    const place = placeOf(node);
    const isElsewhere = known && !isSamePlace(known.place, place);
    own = lastPictures(node) ?? own ?? (isElsewhere ? [] : known?.own);
    images = own ? undefined : given; // without any, the classic canvas loads the node's own picture again
    if (own) showPictures(node, own);
    if (known) return;
    paintings.set(file.filename, { place, own });
    // The host has more to do with the node in the same turn.
    queueMicrotask(() => {
      if (own && place) showPictures(node, own);
      connectMask(node, file, own);
    });
  };
  Object.defineProperty(node, "images", {
    configurable: true,
    enumerable: true,
    get: () => images,
    set: (/** @type {File[] | undefined} */ given) => {
      const file = given?.[0];
      if (file?.type === "input" && PAINTED.test(String(file.filename))) painted(file, given);
      else own = images = given;
    },
  });
}

/** @param {Node} node @param {File} file @param {File[] | undefined} own The pictures of the node that it was painted on. */
function connectMask(node, file, own) {
  if (!placeOf(node)) {
    toast("warn", t("painted.not_connected"), t("painted.not_open", { node: String(node.title) }));
    return;
  }
  if (node.comfyClass === EDIT && hasOtherRatio(node, own)) {
    toast("warn", t("painted.not_connected"), t("painted.other_ratio", { node: String(node.title) }));
    return;
  }
  asOneUndoStep(() => {
    if (node.comfyClass === EDIT) {
      const replaces = setMask(node, file) ? t("painted.replaced") : "";
      toast("success", t("painted.title"), sentences(t("painted.connected", { node: String(node.title) }), t("painted.from_image"), replaces));
      return;
    }
    const edit = addEditOf(node);
    if (!edit) {
      toast("warn", t("painted.not_connected"), t("painted.no_provider", { node: String(node.title) }));
      return;
    }
    setMask(edit, file);
    connectPreview(edit);
    const keeps = keepSeed(node, seedOf(own));
    const warning = keeps ? "" : t("painted.seed_moves", { node: String(node.title) });
    toast(keeps ? "success" : "warn", t("painted.title"), sentences(t("painted.new_edit", { node: String(edit.title) }), warning));
  });
  app.canvas?.setDirty?.(true, true);
}

/** Gives an edit its mask. @param {Node} edit @param {File} file @returns {boolean} Whether it takes the place of another. */
function setMask(edit, file) {
  const name = `${file.subfolder ? `${file.subfolder}/` : ""}${file.filename} [input]`;
  const slot = slotOf(edit, "mask");
  const replaces = hasLink(edit.inputs[slot]);
  const before = paintedBefore(edit, slot);
  if (before) setFile(before, name);
  else addLoadImage(edit.graph, name, freePlaceBeside(edit, LOAD_IMAGE_SIZE, "left")).connect(MASK, edit, slot);
  return replaces;
}

/** Whether an edit's result is known to have another aspect ratio than the picture that its mask is for. @param {Node} edit @param {File[] | undefined} own */
function hasOtherRatio(edit, own) {
  const source = sourceOf(edit, "images.image_1")?.node;
  const made = sizeOfFile(String(own?.[0]?.filename));
  const given = source && (sizeOfFile(String(lastPictures(source)?.[0]?.filename)) ?? loadedSize(source));
  if (!made || !given) return false;
  return Math.abs((made.width * given.height) / (made.height * given.width) - 1) > MOST_OFF;
}

/** The size of the picture of a LoadImage, once the host has loaded it. @param {Node} node */
function loadedSize(node) {
  const image = node.comfyClass === "LoadImage" ? node.imgs?.[0] : undefined;
  return image?.naturalWidth ? { width: image.naturalWidth, height: image.naturalHeight } : undefined;
}

/**
 * Holds a node to the seed of the picture that it shows: with the next one it would pay for another picture.
 * @param {Node} node @param {number | undefined} seed @returns {boolean} Whether the next run gives this picture again, as far as the seed goes.
 */
function keepSeed(node, seed) {
  const { widget, from } = governing(node, "seed");
  if (!widget) return false;
  const control = from === "node" ? seedControl(node) : undefined;
  if (control && control.value !== "fixed") {
    if (seed === undefined) return false;
    control.value = "fixed";
  }
  if (from === "node" && seed !== undefined) setWidget(node, "seed", seed);
  return seed === undefined || widget.value === seed;
}

/** The LoadImage that gives an edit its mask and nothing else: one that was painted before. @param {Node} edit @param {number} slot */
function paintedBefore(edit, slot) {
  const link = linkOf(edit.graph, edit.inputs[slot].link);
  const origin = link && edit.graph.getNodeById(link.origin_id);
  const isOnlyMask = origin?.comfyClass === "LoadImage" && !origin.outputs[0].links?.length && origin.outputs[MASK].links?.length === 1;
  return isOnlyMask ? origin : undefined;
}

/** An edit of what a node makes, at its provider; none where that can't be connected: it would ask another one. @param {Node} node @returns {Node | undefined} */
function addEditOf(node) {
  const edit = /** @type {any} */ (window).LiteGraph.createNode(EDIT);
  edit.pos = freePlaceBeside(node, edit.size, "right");
  node.graph.add(edit);
  node.connect(0, edit, slotOf(edit, "images.image_1"));
  if (!connectProvider(node, edit)) {
    node.graph.remove(edit);
    return undefined;
  }
  showNode(edit); // its prompt is to be written
  return edit;
}

/** Connects what gives a node its provider to another one beside it. @param {Node} node @param {Node} edit @returns {boolean} Whether both have the same. */
function connectProvider(node, edit) {
  const provider = node.inputs[slotOf(node, "provider")];
  if (!hasLink(provider)) return true;
  const link = linkOf(node.graph, provider.link);
  const slot = slotOf(edit, "provider");
  if (Number(link?.origin_id) === SUBGRAPH_INPUT) node.graph.inputNode?.slots?.[link.origin_slot]?.connect(edit.inputs[slot], edit);
  else node.graph.getNodeById(link?.origin_id)?.connect(link.origin_slot, edit, slot);
  return hasLink(edit.inputs[slotOf(edit, "provider")]);
}
