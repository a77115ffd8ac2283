/**
 * The host runs only what a node that shows or saves something needs, and refuses a graph without any such node. Pictures of
 * ours that go nowhere get a Preview Image.
 */
import { app } from "/scripts/app.js";
import { freePlaceBeside } from "./free_place.mjs";
import { asOneUndoStep, hasEmptyPrompt, isActive, isImageNode, isMuted, linkOf, openGraph } from "./graph.mjs";
import { beforeRuns, queueMode } from "./queue_mode.mjs";
import { toast } from "./toast.mjs";
import { t } from "./i18n.mjs";

/** @typedef {import("./graph.mjs").Graph} Graph */
/** @typedef {any} Node A node of the host, whose inside its types don't describe. */

const PREVIEW = "PreviewImage";
/** @type {[number, number]} */
const SIZE = [320, 340];
const SUBGRAPH_OUTPUT = -20;
const MAX_DEPTH = 64;

/** Before each run of a whole graph that the host would refuse, because nothing in it shows or saves anything. */
export function addPreviewsBeforeRuns() {
  beforeRuns((targets) => {
    addPreviews(nodesForPreviews(targets));
    return true;
  });
}

/**
 * The nodes that get a Preview Image before a run: not those that can make no picture, because their prompt is empty.
 * @param {unknown[] | undefined} targets See `looseNodes`. @returns {Node[]}
 */
export const nodesForPreviews = (targets) => looseNodes(targets).filter((node) => !hasEmptyPrompt(node));

/**
 * The nodes that run only if a Preview Image is added. None where the queue runs by itself: nobody would have asked for what is
 * paid; and none where the host refuses the run all the same.
 * @param {unknown[] | undefined} targets Ids of the nodes that are asked for; undefined: all. @returns {Node[]}
 */
export function looseNodes(targets) {
  const graph = app.rootGraph ?? app.graph;
  if (targets?.length || queueMode() !== "disabled" || hasOutputNode(graph, MAX_DEPTH)) return [];
  return hasMissingNode(graph, MAX_DEPTH) ? [] : nodesWithoutLinks();
}

/** @returns {Node[]} Image nodes on the open canvas whose pictures go nowhere. */
const nodesWithoutLinks = () =>
  (openGraph()?.nodes ?? []).filter((/** @type {Node} */ node) => isImageNode(node) && isActive(node) && !node.outputs?.[0]?.links?.length);

/** @param {Node[]} nodes */
function addPreviews(nodes) {
  if (nodes.length) asOneUndoStep(() => nodes.forEach(addPreview));
}

/** Whether no node shows or saves what a node makes. @param {Node} node */
export const needsPreview = (node) => isActive(node) && !feedsOutput(node, MAX_DEPTH);

/** Part of an undo step of its caller. @param {Node} node */
export function addPreview(node) {
  if (connectPreview(node)) toast("info", t("output.added"), t("output.why", { node: String(node.title) }));
}

/** The same without a word of it. @param {Node} node @returns {boolean} Whether it could be made. */
export function connectPreview(node) {
  const made = /** @type {any} */ (window).LiteGraph?.createNode?.(PREVIEW);
  if (!made || !node.graph) return false;
  made.setSize?.(SIZE);
  made.pos = freePlaceBeside(node, SIZE, "right");
  node.graph.add(made);
  node.connect(0, made, 0);
  return true;
}

/** Whether a graph has an active node that shows or saves something; a node that is no subgraph has none. @param {Graph | undefined} graph @param {number} depthLeft @returns {boolean} */
function hasOutputNode(graph, depthLeft) {
  const runs = (/** @type {Node} */ node) => isOutput(node) || (depthLeft > 0 && hasOutputNode(node.subgraph, depthLeft - 1));
  return (graph?.nodes ?? []).some((/** @type {Node} */ node) => isActive(node) && runs(node));
}

/** Whether a graph has an active node that isn't installed. @param {Graph | undefined} graph @param {number} depthLeft @returns {boolean} */
function hasMissingNode(graph, depthLeft) {
  const types = /** @type {any} */ (window).LiteGraph?.registered_node_types ?? {};
  const isMissing = (/** @type {Node} */ node) =>
    node.subgraph ? depthLeft > 0 && hasMissingNode(node.subgraph, depthLeft - 1) : !node.isVirtualNode && !(node.type in types);
  return (graph?.nodes ?? []).some((/** @type {Node} */ node) => isActive(node) && isMissing(node));
}

/** @param {Node} node */
const isOutput = (node) => isOutputClass(node.constructor);

/** Whether nodes of a class of the frontend show or save something. @param {any} nodeClass */
export const isOutputClass = (nodeClass) => nodeClass?.nodeData?.output_node === true;

/**
 * Whether something behind a node shows or saves what it makes. True as well where that can't be known here: behind a node that
 * only the frontend has, and outside of a subgraph.
 * @param {Node} node @param {number} depthLeft
 */
function feedsOutput(node, depthLeft) {
  /** @type {Set<Node>} */
  const seen = new Set();
  const open = [node];
  for (let each = open.pop(); each; each = open.pop()) {
    if (seen.has(each)) continue;
    seen.add(each);
    if (isMuted(each)) continue;
    if (isActive(each) && (isOutput(each) || hasOutputNode(each.subgraph, depthLeft))) return true;
    if (each.isVirtualNode && each.type !== "Reroute") return true;
    for (const id of (each.outputs ?? []).flatMap((/** @type {any} */ output) => output.links ?? [])) {
      const link = linkOf(each.graph, id);
      if (Number(link?.target_id) === SUBGRAPH_OUTPUT) return true;
      const target = each.graph?.getNodeById(link?.target_id);
      if (target) open.push(target);
    }
  }
  return false;
}
