/**
 * Searches the graph on the canvas: who configures a node, where an input comes from, which widget decides,
 * which node a message of the server is about. Goes through reroutes, into and out of subgraphs, and past bypassed nodes as
 * the host does.
 */
import { app } from "/scripts/app.js";

const IMAGE_NODES = ["NanoBananaGenerate", "NanoBananaEdit"];
export const CONFIG = "ProviderConfig";
export const CONVERSATION = "NanoBananaConversation";
const NEVER = 2;
const BYPASSED = 4;
export const SUBGRAPH_INPUT = -10;
/** The frontend's own node that gives a widget its value before a prompt is made of it. */
const PRIMITIVE = "PrimitiveNode";
const MAX_DEPTH = 64;

/** @typedef {any} Graph The host's types of graphs and links don't reach this far. */
/** @typedef {{ node: Comfy.Node, slot: number, graph: Graph }} Source */

/** This pack as the host names it in its list of nodes: the folder that this file is served from. */
const OUR_MODULE = `custom_nodes.${decodeURIComponent(new URL(".", import.meta.url).pathname.split("/").at(-2) ?? "")}`;

/** Whether the host runs this pack's class for a node: another pack may have the same ids. @param {Comfy.Node} node */
function isThisPacks(node) {
  const module = /** @type {any} */ (node.constructor).nodeData?.python_module;
  return module === undefined || module === OUR_MODULE;
}

/** @param {Comfy.Node} node */
export const isImageNode = (node) => IMAGE_NODES.includes(node.comfyClass ?? "") && isThisPacks(node);
/** @param {Comfy.Node} node */
export const isConfig = (node) => node.comfyClass === CONFIG && isThisPacks(node);
/** @param {Comfy.Node} node */
export const isConversation = (node) => node.comfyClass === CONVERSATION && isThisPacks(node);
/** Those with a footer. @param {Comfy.Node} node */
export const isOurs = (node) => isImageNode(node) || isConfig(node);

/** Whether a node is left out of a run, with all that needs it. @param {{ mode?: number }} node */
export const isMuted = (node) => node.mode === NEVER;
/** Whether a node itself runs. @param {{ mode?: number }} node */
export const isActive = (node) => !isMuted(node) && node.mode !== BYPASSED;

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
      if (node.subgraph && depth < MAX_DEPTH) walk(node.subgraph, `${path}:`, depth + 1);
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
  return input ? followLink(node.graph, input.link, MAX_DEPTH) : undefined;
}

/** Whether an input has a link. @param {{ link?: number | null } | undefined} input */
export const hasLink = (input) => input?.link !== null && input?.link !== undefined;

/** What feeds each linked input of a node. @param {Comfy.Node} node @returns {Source[]} */
export const linkedSources = (node) =>
  (node.inputs ?? []).map((input) => followLink(node.graph, input.link, MAX_DEPTH)).filter((source) => source !== undefined);

/** The ProviderConfig behind an input. @param {Comfy.Node} node @param {string} [name] @returns {Comfy.Node | undefined} */
export function configOf(node, name = "provider") {
  const source = sourceOf(node, name);
  return source && isConfig(source.node) ? source.node : undefined;
}

/** @param {Comfy.Node} node @param {string} name */
export const widgetOf = (node, name) => node.widgets?.find((widget) => widget.name === name);

/** The widget that changes the seed after a run; its name differs from node to node. @param {Comfy.Node} node */
export const seedControl = (node) => /** @type {any} */ (widgetOf(node, "seed"))?.linkedWidgets?.[0];

/** Where an input is among those of a node; -1 for none. @param {Graph} node @param {string} name @returns {number} */
export const slotOf = (node, name) => (node.inputs ?? []).findIndex((/** @type {any} */ input) => input.name === name);

/**
 * What is chosen in the ProviderConfig of a node, be it the node itself, and what holds where there is none.
 * @param {Comfy.Node} node @returns {{ provider: string, profile: string, model: string }}
 */
export function chosenProvider(node) {
  const config = isConfig(node) ? node : configOf(node);
  const chosen = (/** @type {string} */ name, /** @type {string} */ otherwise) => String((config && valueOf(config, name)) ?? otherwise);
  return { provider: chosen("provider", "auto"), profile: chosen("profile", "default"), model: chosen("model", "recommended") };
}

/** @typedef {{ widget: Comfy.Widget | undefined, from: "node" | "subgraph" | "primitive" | "run" }} Governing */

/**
 * The widget whose value counts. One that was promoted to the subgraph node only keeps what it was made with: the host takes
 * the subgraph node's, and where a primitive feeds it, the primitive's. `widget` is undefined where the value comes in the run.
 * @param {Comfy.Node} node @param {string} name @returns {Governing}
 */
export const governing = (node, name) => findGoverning(node, name, MAX_DEPTH) ?? { widget: widgetOf(node, name), from: "node" };

/** @param {Graph} node @param {string} name @param {number} depthLeft @returns {Governing | undefined} */
function findGoverning(node, name, depthLeft) {
  const id = node.inputs?.find((/** @type {any} */ each) => each.name === name)?.link;
  const link = depthLeft > 0 ? linkOf(node.graph, id) : undefined;
  if (!link) return undefined;
  if (Number(link.origin_id) === SUBGRAPH_INPUT) {
    const holder = subgraphNodeOf(node.graph);
    const above = holder?.inputs?.[link.origin_slot]?.name;
    if (above === undefined) return undefined;
    const widget = widgetOf(holder, above);
    return findGoverning(holder, above, depthLeft - 1) ?? (widget && { widget, from: "subgraph" });
  }
  const source = followLink(node.graph, id, depthLeft)?.node;
  if (source?.type === PRIMITIVE) return { widget: source.widgets?.[0], from: "primitive" };
  return source && { widget: undefined, from: "run" };
}

/** What a node's widget says; undefined where that is known in the run only. @param {Comfy.Node} node @param {string} name */
export const valueOf = (node, name) => /** @type {unknown} */ (governing(node, name).widget?.value);

/** Whether a node's prompt is known to be empty, before any run. @param {Comfy.Node} node */
export function hasEmptyPrompt(node) {
  const prompt = valueOf(node, "prompt");
  return typeof prompt === "string" && !prompt.trim();
}

/** @param {Comfy.Node} node @param {string} name @param {unknown} value Sets a widget as a person would. */
export function setWidget(node, name, value) {
  const { widget } = governing(node, name);
  if (!widget || widget.value === value) return;
  widget.value = /** @type {never} */ (value);
  widget.callback?.(/** @type {never} */ (value), app.canvas, node);
  node.graph?.setDirtyCanvas?.(true, true);
}

/** Calls `changed` after what a widget calls when its value was changed. @param {Comfy.Widget} widget @param {() => void} changed */
export function onWidgetChange(widget, changed) {
  const before = widget.callback;
  widget.callback = /** @type {typeof before} */ (
    /** @this {unknown} @param {...any} given */
    function (...given) {
      const result = before?.apply(this, /** @type {any} */ (given));
      changed();
      return result;
    }
  );
}

/** Changes the graph so that one Ctrl+Z takes it back. @param {() => void} work */
export function asOneUndoStep(work) {
  app.canvas?.emitBeforeChange();
  try {
    work();
  } finally {
    endUndoStep();
  }
}

/** The same for work that waits for the page in between. @param {() => Promise<void>} work */
export async function asOneUndoStepAsync(work) {
  app.canvas?.emitBeforeChange();
  try {
    await work();
  } finally {
    endUndoStep();
  }
}

/** The order in which nodes run is saved as well: found out at the next run, it would be a step of its own. */
function endUndoStep() {
  openGraph()?.updateExecutionOrder?.();
  app.canvas?.emitAfterChange();
}

/** @param {Graph} graph @param {number | null | undefined} id @returns {Graph | undefined} A link. */
export function linkOf(graph, id) {
  if (id === null || id === undefined) return undefined;
  return graph?.getLink?.(id) ?? graph?.links?.get?.(id) ?? graph?.links?.[id];
}

/** The input that a bypassed node passes on: the one beside the output where it fits, else the first that fits. @param {Graph} node @param {number} slot */
function bypassedInput(node, slot) {
  const type = node.outputs?.[slot]?.type;
  const inputs = node.inputs ?? [];
  return inputs[slot]?.type === type ? inputs[slot] : inputs.find((/** @type {any} */ input) => input.type === type);
}

/**
 * @param {Graph} graph @param {number | null | undefined} id @param {number} depthLeft @returns {Source | undefined}
 */
function followLink(graph, id, depthLeft) {
  const link = depthLeft > 0 ? linkOf(graph, id) : undefined;
  if (!link) return undefined;
  if (Number(link.origin_id) === SUBGRAPH_INPUT) return sourceOutsideSubgraph(graph, link.origin_slot, depthLeft - 1);
  const node = graph.getNodeById(link.origin_id);
  if (!node || isMuted(node)) return undefined;
  if (node.mode === BYPASSED) return followLink(graph, bypassedInput(node, link.origin_slot)?.link, depthLeft - 1);
  if (node.subgraph) return sourceInsideSubgraph(node.subgraph, link.origin_slot, depthLeft - 1);
  if (node.type === "Reroute") return followLink(graph, node.inputs?.[0]?.link, depthLeft - 1);
  return { node, slot: link.origin_slot, graph };
}

/** What feeds the input `slot` of the subgraph node that holds `graph`. @param {Graph} graph @param {number} slot @param {number} depthLeft */
function sourceOutsideSubgraph(graph, slot, depthLeft) {
  const holder = subgraphNodeOf(graph);
  return followLink(holder?.graph, holder?.inputs?.[slot]?.link, depthLeft);
}

/** The subgraph node through which a subgraph was opened: of several it is the one whose values are looked at. @type {WeakMap<object, Graph>} */
const openedBy = new WeakMap();
document.addEventListener("subgraph-opened", (event) => {
  const { subgraph, fromNode } = /** @type {CustomEvent} */ (event).detail;
  openedBy.set(subgraph, fromNode);
});

/** The subgraph node that holds a graph; of several the one that was opened, else the first. @param {Graph} graph @returns {Graph | undefined} */
function subgraphNodeOf(graph) {
  const opened = openedBy.get(graph);
  if (opened && opened.graph?.getNodeById(opened.id) === opened) return opened;
  /** @type {Graph | undefined} */
  let found;
  /** @param {Graph} outer @param {number} depth */
  const search = (outer, depth) => {
    for (const node of outer?.nodes ?? []) {
      if (found || depth > MAX_DEPTH) return;
      if (node.subgraph === graph) found = node;
      else if (node.subgraph) search(node.subgraph, depth + 1);
    }
  };
  search(app.rootGraph ?? app.graph, 0);
  return found;
}

/** What feeds the output `slot` of a subgraph. @param {Graph} graph @param {number} slot @param {number} depthLeft */
function sourceInsideSubgraph(graph, slot, depthLeft) {
  const output = graph.outputs?.[slot];
  const links = output?.linkIds ?? [];
  return links.length ? followLink(graph, links[0], depthLeft) : undefined;
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
      const value = isConstant(node) ? valueOf(node, name) : undefined;
      if (value !== undefined) inputs[name] = value;
      return;
    }
    for (const widget of widgetsOfPrompt(node)) inputs[widget.name] = valueOf(node, widget.name) ?? widget.value;
    for (const input of node.inputs ?? []) {
      if (!hasLink(input)) continue;
      const source = followLink(node.graph, input.link, MAX_DEPTH);
      if (!source || source.node.type === PRIMITIVE) continue;
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

/** Ids of nodes of a prompt, and of all nodes that feed them. @param {Comfy.Prompt} prompt @param {string[]} ids */
export function idsNeededBy(prompt, ids) {
  /** @type {Set<string>} */
  const found = new Set();
  const open = [...ids];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    if (found.has(id)) continue;
    found.add(id);
    for (const value of Object.values(prompt[id]?.inputs ?? {})) if (Array.isArray(value)) open.push(String(value[0]));
  }
  return found;
}

/** The widgets that the host puts into a prompt: neither the footer nor what changes the seed after a run. @param {Comfy.Node} node @returns {Comfy.Widget[]} */
export const widgetsOfPrompt = (node) => (node.widgets ?? []).filter(({ options }) => /** @type {any} */ (options)?.serialize !== false);

/** Whether a node gives what its widget says. @param {Comfy.Node} node */
const isConstant = (node) => node.comfyClass === "LoadImage" || String(node.comfyClass ?? "").startsWith("Primitive");

/** Name of the widget that the pack adds below a node's own. */
export const FOOTER = "nano_banana";
