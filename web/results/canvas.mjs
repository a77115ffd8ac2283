/** Puts results onto the canvas: as Load Image nodes, as references of an edit, or the workflow that made them. */
import { app } from "/scripts/app.js";
import { freePlaceBeside, freePlaceInView } from "../free_place.mjs";
import { asOneUndoStep, CONVERSATION, hasLink, isImageNode, isOurs, openGraph, setWidget, valueOf } from "../graph.mjs";
import { addLoadImage, LOAD_IMAGE_SIZE, setFile } from "../load_image.mjs";
import { isReference } from "../sockets.mjs";
import { toast } from "../toast.mjs";
import { ask } from "../server.mjs";
import { t, when } from "../i18n.mjs";

/** @typedef {import("../server.mjs").Result} Result */
/** @typedef {[number, number]} Position On the canvas. */

export const EDIT = "NanoBananaEdit";

/** Opens the workflow that asked for a picture, beside what is open. @param {Result} result */
export async function openWorkflow(result) {
  const graph = await ask(`/results/${encodeURIComponent(result.id)}/graph`);
  const name = t("results.graph_name", { when: when(result.created).replace(/[/\\:]/g, "-") });
  if (graph.workflow) await app.loadGraphData(graph.workflow, true, true, name);
  else await /** @type {any} */ (app).loadApiJson(graph.prompt, name);
}

/** Puts a picture on the canvas as a LoadImage node. @param {Result} result @param {Position} [at] Its middle; else a free place in sight. */
export async function insertPicture(result, at) {
  const name = await copyToInput(result);
  asOneUndoStep(() => {
    const place = /** @type {Position} */ (at ? [at[0] - LOAD_IMAGE_SIZE[0] / 2, at[1] - LOAD_IMAGE_SIZE[1] / 2] : freePlaceInView(openGraph(), LOAD_IMAGE_SIZE));
    app.canvas.selectNode?.(addLoadImage(openGraph(), name, place));
  });
}

/**
 * Connects a picture to a free reference of an edit: the given one, the selected one, the only one there is, else a new one.
 * @param {Result} result @param {any} [node] An edit.
 */
export async function useAsReference(result, node) {
  const name = await copyToInput(result);
  asOneUndoStep(() => {
    const edit = node ?? selectedEdit() ?? onlyEdit() ?? addEdit();
    const slot = freeReference(edit);
    if (slot < 0) {
      toast("warn", t("results.reference"), t("results.no_free_reference", { node: String(edit.title) }));
      return;
    }
    const load = addLoadImage(openGraph(), name, freePlaceBeside(edit, LOAD_IMAGE_SIZE, "left"));
    load.connect(0, edit, slot);
    const input = String(edit.inputs[slot].name).replace(/^images\./, "");
    toast("success", t("results.reference"), t("results.is_reference", { node: String(edit.title), input }));
  });
}

/**
 * Puts the node on the canvas that gives the conversation of a picture, and connects it to the selected node of ours that has none.
 * An edit without a picture gets this one, too: it needs one, and what the conversation ends with isn't sent twice.
 * @param {Result} result
 */
export async function goOnFrom(result) {
  const next = /** @type {any} */ (Object.values(app.canvas.selected_nodes ?? {}).find((each) => freeConversation(each) >= 0));
  const isEmptyEdit = isEdit(next) && !next.inputs.some((/** @type {any} */ input) => isReference(input.name) && hasLink(input));
  const file = isEmptyEdit ? await copyToInput(result) : "";
  asOneUndoStep(() => {
    const left = next ? leftOver(next) : [];
    const node = /** @type {any} */ (window).LiteGraph.createNode(CONVERSATION);
    node.pos = next ? freePlaceBeside(next, node.size, "left") : freePlaceInView(openGraph(), node.size);
    openGraph().add(node);
    setWidget(node, "picture", result.content);
    if (file) addLoadImage(openGraph(), file, freePlaceBeside(next, LOAD_IMAGE_SIZE, "left")).connect(0, next, freeReference(next));
    if (next) node.connect(0, next, freeConversation(next));
    else app.canvas.selectNode?.(node);
    const first = next ? t("results.continued", { node: String(next.title) }) : t("results.continue_hint");
    toast(left.length ? "warn" : "success", t("results.continue"), [first, ...left].join("\n"));
  });
}

/** What a node has of its last picture that will be of the next one, too. @param {any} node @returns {string[]} */
function leftOver(node) {
  const linked = (/** @type {(name: string) => boolean} */ named) =>
    (node.inputs ?? []).some((/** @type {any} */ input) => named(input.name) && hasLink(input));
  const found = [];
  if (linked(isReference)) found.push(t("results.references_stay"));
  if (linked((name) => name === "mask")) found.push(t("results.mask_stays"));
  if (valueOf(node, "delivery") === "batch") found.push(t("results.batch_stays"));
  return found;
}

/** Slot of a free input `conversation` of one of our nodes; -1 for none. @param {any} node */
const freeConversation = (node) =>
  isImageNode(node)
    ? (node.inputs ?? []).findIndex((/** @type {any} */ input) => input.name === "conversation" && !hasLink(input))
    : -1;

/** Shows a picture in a LoadImage node that is there. @param {Result} result @param {any} node */
export async function showInLoadImage(result, node) {
  const name = await copyToInput(result);
  asOneUndoStep(() => setFile(node, name));
}

/** The node at a place of the canvas. @param {Position} at */
export const nodeAt = (at) => openGraph().getNodeOnPos?.(at[0], at[1]) ?? undefined;

/** @param {any} node */
export const isEdit = (node) => node?.comfyClass === EDIT && isOurs(node);

/** @param {Result} result @returns {Promise<string>} Its name among the inputs. */
export async function copyToInput(result) {
  return (await ask(`/results/${encodeURIComponent(result.id)}/input`, { method: "POST" })).name;
}

const selectedEdit = () => Object.values(app.canvas.selected_nodes ?? {}).find(isEdit);

function onlyEdit() {
  const edits = (openGraph()?.nodes ?? []).filter(isEdit);
  return edits.length === 1 ? edits[0] : undefined;
}

function addEdit() {
  const node = /** @type {any} */ (window).LiteGraph.createNode(EDIT);
  node.pos = freePlaceInView(openGraph(), node.size);
  openGraph().add(node);
  app.canvas.selectNode?.(node);
  return node;
}

/** Slot of the first reference without a link; -1 for none. @param {any} node */
const freeReference = (node) =>
  (node.inputs ?? []).findIndex((/** @type {any} */ input) => isReference(input.name) && !hasLink(input));
