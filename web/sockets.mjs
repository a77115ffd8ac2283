/**
 * Keeps links at their sockets. The frontend finds the sockets of a pasted, converted or unpacked node by position, and makes
 * such a node with two reference sockets: where the original had more, links went to other sockets or were lost. A link that
 * is lost all the same is named on the node.
 */
import { app } from "/scripts/app.js";
import { slotOf } from "./graph.mjs";

const INPUT = 1; // LiteGraph.INPUT
const GROUP = "images.";
const REFERENCE = /^images\.image_([1-9]|1[0-4])$/;
/** Property of a saved or copied node with the names of its linked inputs: what the frontend copies has no links in it. */
const LINKED = "nano_banana_linked";

/** @typedef {any} Saved A node as the frontend saves and copies it. */

/** Inputs that had a link where the node was saved or copied, and have none. @type {WeakMap<Comfy.Node, string[]>} */
const lost = new WeakMap();
/** The same while the frontend still makes the links. @type {WeakMap<Comfy.Node, string[]>} */
const expected = new WeakMap();

/** Whether an input is a reference image. @param {unknown} name */
export const isReference = (name) => REFERENCE.test(String(name));

/** The reference inputs of a node that have a link, in the order of their numbers. @param {Comfy.Node} node */
export const linkedReferences = (node) => linkedInputs(node).filter(isReference);

/** Inputs that lost their link on the way here. @param {Comfy.Node} node @returns {string[]} */
export function lostLinks(node) {
  const found = (lost.get(node) ?? []).filter((name) => !isLinked(node, name));
  lost.set(node, found);
  return found;
}

/** The user knows. @param {Comfy.Node} node */
export const forgetLostLinks = (node) => lost.delete(node);

/** Prepares a node that was just made, before the frontend gives it what was saved or copied. @param {Comfy.Node} node */
export function keepSockets(node) {
  guardConnections(node);
  const configure = node.configure;
  node.configure = function (/** @type {Saved} */ saved) {
    const names = savedLinks(saved);
    if (names.length) expected.set(node, names);
    growSockets(node, saved);
    configure.call(node, saved);
    delete node.properties[LINKED];
    // The frontend makes the links after this call, and before anything else runs.
    if (names.length) setTimeout(() => noteLostLinks(node));
  };
  const serialized = node.onSerialize;
  node.onSerialize = function (saved) {
    serialized?.call(this, saved);
    const names = [...new Set([...linkedInputs(node), ...(expected.get(node) ?? lostLinks(node))])];
    if (names.length) saved.properties = { ...saved.properties, [LINKED]: names };
  };
}

/** @param {Comfy.Node} node */
function noteLostLinks(node) {
  const names = expected.get(node) ?? [];
  expected.delete(node);
  const missing = names.filter((name) => !isLinked(node, name));
  // A node that was pasted alone has no link at all: nobody expects one.
  if (missing.length < names.length) lost.set(node, missing);
}

/** Names of the inputs that had a link where a node was saved or copied. @param {Saved} saved @returns {string[]} */
function savedLinks(saved) {
  const inputs = Array.isArray(saved.inputs) ? saved.inputs : [];
  const named = saved.properties?.[LINKED];
  const linked = inputs.filter((/** @type {any} */ input) => typeof input?.link === "number").map((/** @type {any} */ input) => input.name);
  const known = new Set(inputs.map((/** @type {any} */ input) => input?.name));
  return [...new Set([...linked, ...(Array.isArray(named) ? named : [])])].filter((name) => typeof name === "string" && known.has(name));
}

/** The link at a socket; a node outside of a graph has none. @param {Comfy.Node} node @param {number} slot */
const linkAt = (node, slot) => (node.graph ? node.getInputLink(slot) : null);

/** @param {Comfy.Node} node @returns {string[]} */
const linkedInputs = (node) => (node.inputs ?? []).filter((_, slot) => linkAt(node, slot)).map((input) => input.name);

/** @param {Comfy.Node} node @param {string} name */
function isLinked(node, name) {
  const slot = slotOf(node, name);
  return slot >= 0 && linkAt(node, slot) !== null;
}

/** Positions of the reference sockets among a node's inputs. @param {{ inputs?: readonly { name: string }[] }} node */
const referenceSlots = (node) => (node.inputs ?? []).flatMap((input, slot) => (isReference(input?.name) ? [slot] : []));

/**
 * Gives a new node as many reference sockets as the saved one has. Only the sockets are added: the links, which some versions
 * of the frontend have made by now, are found by position and must stay where they are.
 * @param {Comfy.Node} node @param {Saved} saved
 */
function growSockets(node, saved) {
  const names = new Set((node.inputs ?? []).map((input) => input.name));
  const wanted = Array.isArray(saved.inputs) ? referenceSlots(saved).map((slot) => String(saved.inputs[slot].name)) : [];
  for (const name of wanted.filter((each) => !names.has(each)).sort(byNumber)) {
    const last = referenceSlots(node).at(-1);
    const model = last === undefined ? undefined : node.inputs[last];
    if (last === undefined || !model) return;
    names.add(name);
    const shown = name.slice(GROUP.length);
    // The frontend shows the label, or, where it makes none, the localized name.
    const localized = model.localized_name === model.name ? name : shown;
    node.addInput(name, model.type, { shape: model.shape, label: model.label && shown, localized_name: localized });
    node.inputs.splice(last + 1, 0, ...node.inputs.splice(-1));
  }
}

/** @param {string} one @param {string} other Names of references. */
const byNumber = (one, other) => Number(REFERENCE.exec(one)?.[1]) - Number(REFERENCE.exec(other)?.[1]);

/**
 * Stands between links that come and go and the frontend, which grows and shrinks the group of references.
 * - Gaps are closed one by one, the last one first. The frontend closes each by the position it had, which is another one once
 *   an earlier gap is closed: of two links that went at once a third was lost.
 * - A socket that is there isn't made again, as it would be while a graph is loaded: `image_2` came behind `image_14`, because
 *   `image_1` is looked for by how a name begins.
 * @param {Comfy.Node} node
 */
function guardConnections(node) {
  const connectionsChanged = node.onConnectionsChange;
  let closing = false;
  /** The links that went, by their sockets. @type {Map<number, any>} */
  const gone = new Map();
  const closeNext = (tries = 0) => {
    const gap = node.graph ? gapOf(node) : undefined;
    const input = gap === undefined ? undefined : node.inputs[gap];
    closing = input !== undefined && tries < referenceSlots(node).length + 1;
    if (!closing || gap === undefined || !input) return void gone.clear();
    connectionsChanged?.call(node, INPUT, gap, false, gone.get(gap) ?? null, input);
    requestAnimationFrame(() => closeNext(tries + 1)); // after the frontend, which waits for the same frame
  };
  node.onConnectionsChange = function (...given) {
    const [type, slot, connected, link] = given;
    const isOurs = type === INPUT && isReference(node.inputs[slot]?.name);
    if (!isOurs || (connected && !(app.configuringGraph && isReference(node.inputs[slot + 1]?.name)))) {
      connectionsChanged?.apply(node, given);
    } else if (!connected) {
      gone.set(slot, link);
      if (!closing) queueMicrotask(() => closeNext()); // a link that takes the place of another is there by then
      closing = true;
    }
  };
}

/** The reference socket to close: the last gap before a link, else a free one too many. @param {Comfy.Node} node */
function gapOf(node) {
  const slots = referenceSlots(node);
  const last = slots.findLastIndex((slot) => linkAt(node, slot));
  const gap = slots.slice(0, Math.max(last, 0)).findLast((slot) => !linkAt(node, slot));
  return gap ?? (slots.length > Math.max(last + 2, 2) ? slots[last + 1] : undefined);
}
