/** How often the host runs a node: once, or once for each element of the longest list that is linked into it. */
import { isImageNode, linkedSources } from "./graph.mjs";

/** @typedef {number | null} Length null: it is known in the run only. */

/** How many elements a node runs for; 1 without a list. @param {Comfy.Node} node @returns {Length} */
export const elementsOf = (node) => runsOf(node, new Map());

/** @param {Comfy.Node} node @param {Map<Comfy.Node, Length>} known Nodes that have been looked at. @returns {Length} */
function runsOf(node, known) {
  const found = known.get(node);
  if (found !== undefined) return found;
  known.set(node, 1); // for links in a circle
  const runs = takesLists(node) ? 1 : longest(lengthsInto(node, known));
  known.set(node, runs);
  return runs;
}

/** @param {Comfy.Node} node @param {Map<Comfy.Node, Length>} known @returns {Length[]} */
const lengthsInto = (node, known) => linkedSources(node).map((source) => lengthOf(source, known));

/**
 * How many elements an output gives.
 * @param {import("./graph.mjs").Source} source @param {Map<Comfy.Node, Length>} known @returns {Length}
 */
function lengthOf({ node, slot }, known) {
  if (node.comfyClass === "CreateList") return total(lengthsInto(node, known));
  // Pictures of one size are one element, whatever their number.
  if (isImageNode(node) || !definitionOf(node).output_is_list?.[slot]) return runsOf(node, known);
  return null;
}

/** @param {Length[]} lengths */
const longest = (lengths) => lengths.reduce((one, other) => (one === null || other === null ? null : Math.max(one, other)), 1);
/** @param {Length[]} lengths */
const total = (lengths) => lengths.reduce((/** @type {Length} */ sum, each) => (sum === null || each === null ? null : sum + each), 0);

/** @param {Comfy.Node} node */
const takesLists = (node) => node.comfyClass === "CreateList" || definitionOf(node).is_input_list === true;

/** What the server says of a node's class. @param {Comfy.Node} node @returns {{ output_is_list?: boolean[], is_input_list?: boolean }} */
const definitionOf = (node) => /** @type {any} */ (node.constructor).nodeData ?? {};

/**
 * What a node costs for all elements; where their number isn't known, for one of them. Asked of one element.
 * @template {import("./server.mjs").Estimate} E
 * @param {E} estimate @param {Length} elements @returns {E & { elements: Length }}
 */
export function forElements(estimate, elements) {
  /** @template {number | null | undefined} N @param {N} amount */
  const times = (amount) => (typeof amount === "number" ? amount * (elements ?? 1) : amount);
  return {
    ...estimate,
    elements,
    pictures: times(estimate.pictures),
    usd: times(estimate.usd),
    usd_counted: times(estimate.usd_counted),
    everywhere: estimate.everywhere?.map((offer) => ({
      ...offer,
      usd: times(offer.usd),
      models: offer.models?.map((model) => ({ ...model, usd: times(model.usd), usd_counted: times(model.usd_counted) })),
    })),
  };
}
