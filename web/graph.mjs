/**
 * Finds its way through the graph on the canvas: who configures a node, where an input comes from, which node a message
 * of the server is about. Goes through reroutes, into and out of subgraphs, and past bypassed nodes as the host does.
 */
import { app } from "/scripts/app.js";

export const MAKERS = ["NanoBananaGenerate", "NanoBananaEdit"];
export const CONFIG = "ProviderConfig";
const NEVER = 2;
const BYPASSED = 4;
const SUBGRAPH_INPUT = -10;
const DEEP = 64;

/** @typedef {any} Graph The host's types of graphs and links don't reach this far. */
/** @typedef {{ node: Comfy.Node, slot: number, graph: Graph }} Source */

/** @param {Comfy.Node} node */
export const isMaker = (node) => MAKERS.includes(node.comfyClass ?? "");
/** @param {Comfy.Node} node */
export const isOurs = (node) => isMaker(node) || node.comfyClass === CONFIG;

/** The graph on the canvas: the root, or the subgraph that is open. @returns {Graph} */
export const openGraph = () => app.canvas?.graph ?? app.rootGraph ?? app.graph;

/** Every node of ours in the whole workflow. @returns {{ node: Comfy.Node, path: string }[]} `path` is the id in a prompt. */
export function ourNodes() {
  /** @type {{ node: Comfy.Node, path: string }[]} */
  const found = [];
  /** @param {Graph} graph @param {string} before @param {number} depth */
  const walk = (graph, before, depth) => {
    for (const node of graph?.nodes ?? []) {
      const path = `${before}${node.id}`;
      if (isOurs(node)) found.push({ node, path });
      if (node.subgraph && depth < DEEP) walk(node.subgraph, `${path}:`, depth + 1);
    }
  };
  walk(app.rootGraph ?? app.graph, "", 0);
  return found;
}

/** The node of ours that a message is about. @param {string | number} id A prompt's node id, "12" or "4:7". */
export function nodeByPath(id) {
  /** @type {Graph} */
  let graph = app.rootGraph ?? app.graph;
  /** @type {any} */
  let node;
  for (const part of String(id).split(":")) {
    node = graph?.getNodeById(Number(part)) ?? graph?.getNodeById(part);
    graph = node?.subgraph;
  }
  return node && isOurs(node) ? /** @type {Comfy.Node} */ (node) : undefined;
}

/**
 * What feeds an input of a node; undefined where nothing does.
 * @param {Comfy.Node} node @param {string} name @returns {Source | undefined}
 */
export function sourceOf(node, name) {
  const input = node.inputs?.find((each) => each.name === name);
  return input ? follow(node.graph, input.link, DEEP) : undefined;
}

/** The ProviderConfig behind an input. @param {Comfy.Node} node @param {string} [name] @returns {Comfy.Node | undefined} */
export function configOf(node, name = "provider") {
  const source = sourceOf(node, name);
  return source?.node.comfyClass === CONFIG ? source.node : undefined;
}

/** @param {Comfy.Node} node @param {string} name */
export const widgetOf = (node, name) => node.widgets?.find((widget) => widget.name === name);

/** @param {Comfy.Node} node @param {string} name @param {unknown} value Sets a widget as a person would. */
export function setWidget(node, name, value) {
  const widget = widgetOf(node, name);
  if (!widget || widget.value === value) return;
  widget.value = /** @type {never} */ (value);
  widget.callback?.(/** @type {never} */ (value), app.canvas, node);
  node.graph?.setDirtyCanvas?.(true, true);
}

/**
 * @param {Graph} graph @param {number | null | undefined} id @param {number} patience @returns {Source | undefined}
 */
function follow(graph, id, patience) {
  if (id === null || id === undefined || patience <= 0) return undefined;
  const link = graph?.getLink?.(id) ?? graph?.links?.get?.(id) ?? graph?.links?.[id];
  if (!link) return undefined;
  if (Number(link.origin_id) === SUBGRAPH_INPUT) return outside(graph, link.origin_slot, patience - 1);
  const node = graph.getNodeById(link.origin_id);
  if (!node || node.mode === NEVER) return undefined;
  if (node.subgraph) return inside(node.subgraph, link.origin_slot, patience - 1);
  if (node.type === "Reroute") return follow(graph, node.inputs?.[0]?.link, patience - 1);
  if (node.mode === BYPASSED) {
    const type = node.outputs?.[link.origin_slot]?.type;
    const through = (node.inputs ?? []).find((/** @type {any} */ input) => input.type === type && input.link !== null);
    return through ? follow(graph, through.link, patience - 1) : undefined;
  }
  return { node, slot: link.origin_slot, graph };
}

/** What feeds the input `slot` of the subgraph node that holds `graph`. @param {Graph} graph @param {number} slot @param {number} patience */
function outside(graph, slot, patience) {
  /** @type {Source | undefined} */
  let found;
  /** @param {Graph} outer @param {number} depth */
  const search = (outer, depth) => {
    for (const node of outer?.nodes ?? []) {
      if (found || depth > DEEP) return;
      if (node.subgraph === graph) found = follow(outer, node.inputs?.[slot]?.link, patience);
      else if (node.subgraph) search(node.subgraph, depth + 1);
    }
  };
  search(app.rootGraph ?? app.graph, 0);
  return found;
}

/** What feeds the output `slot` of a subgraph. @param {Graph} graph @param {number} slot @param {number} patience */
function inside(graph, slot, patience) {
  const output = graph.outputs?.[slot];
  const links = output?.linkIds ?? [];
  return links.length ? follow(graph, links[0], patience) : undefined;
}

/**
 * Our nodes as a prompt for the price: their widgets, who configures them, and where pictures come from. Unlike the host's
 * own conversion it asks no other node for anything, so that it may run at each change.
 * @param {Comfy.Node[]} nodes @returns {Comfy.Prompt} By position in `nodes`.
 */
export function promptFor(nodes) {
  /** @type {Comfy.Prompt} */
  const prompt = {};
  /** @type {Map<unknown, string>} */
  const names = new Map();
  /** @param {Comfy.Node} node @param {string} name */
  const add = (node, name) => {
    /** @type {Record<string, unknown>} */
    const inputs = {};
    prompt[name] = { class_type: String(node.comfyClass ?? node.type), inputs, _meta: { title: String(node.title ?? "") } };
    names.set(node, name);
    if (!isOurs(node)) {
      const name = node.comfyClass === "LoadImage" ? "image" : "value";
      const widget = widgetOf(node, name);
      const linked = node.inputs?.some((input) => input.name === name && input.link !== null && input.link !== undefined);
      if (widget && !linked && isConstant(node)) inputs[name] = widget.value;
      return;
    }
    for (const widget of node.widgets ?? []) {
      if (widget.name !== FOOTER && widget.name !== "control_after_generate") inputs[widget.name] = widget.value;
    }
    for (const input of node.inputs ?? []) {
      if (input.link === null || input.link === undefined) continue;
      const source = follow(node.graph, input.link, DEEP);
      if (!source) continue;
      const known = names.get(source.node) ?? `s${names.size}`;
      if (!names.has(source.node)) add(source.node, known);
      inputs[input.name] = [known, source.slot];
    }
  };
  nodes.forEach((node, index) => {
    const before = names.get(node);
    if (before === undefined) add(node, String(index));
    else prompt[String(index)] = /** @type {Comfy.Prompt[string]} */ (prompt[before]);
  });
  return prompt;
}

/** Whether a node gives what its widget says. @param {Comfy.Node} node */
const isConstant = (node) => node.comfyClass === "LoadImage" || String(node.comfyClass ?? "").startsWith("Primitive");

/** Name of the widget that the pack adds below a node's own. */
export const FOOTER = "nano_banana";
