/**
 * Whether a node would run again exactly as it last ran: then it costs nothing, though the price of what it asks for can't be
 * known to be stored where its pictures come from other nodes.
 */
import { api } from "/scripts/api.js";
import { app } from "/scripts/app.js";
import { isImageNode, isOurs, linkedSources, ourNodes, valueOf, widgetsOfPrompt } from "./graph.mjs";

const MOST_RUNS = 50;
const MOST_NODES = 2000;
/** @typedef {{ output: Comfy.Prompt, workflow: Comfy.Workflow | undefined }} Whole A prompt, as the host queues it. */
/** @typedef {Map<string, string>} Signatures Path of each image node -> its signature. */
/** What was queued, by the id of the prompt. @type {Map<string, { whole: Whole, signatures: Signatures, workflow: object }>} */
const queued = new Map();
/** The signature of the last run that gave all pictures. @type {WeakMap<Comfy.Node, string>} */
const complete = new WeakMap();

/** Those of what is queued right now, where it is not what is on the canvas. @type {Signatures | null} */
let signaturesOfQueued = null;

/** Remembers what every run was queued with: widgets may change while it runs, a seed right after it was queued. */
export function followQueued() {
  const queuePrompt = /** @type {(...given: any[]) => Promise<any>} */ (api.queuePrompt.bind(api));
  // Not awaited here: an error of the host would name this file in its stack.
  api.queuePrompt = /** @type {any} */ (
    (/** @type {any[]} */ ...given) => {
      const signatures = signaturesOfQueued ?? signaturesOnCanvas();
      const workflow = openWorkflow();
      const answer = queuePrompt(...given);
      answer.then((found) => remember(found?.prompt_id, { whole: given[1], signatures, workflow }), () => undefined);
      return answer;
    }
  );
}

/** Where the host has no workflows. */
const NO_WORKFLOW = {};

/** The workflow that is shown. @returns {object} */
export const openWorkflow = () => app.extensionManager.workflow?.activeWorkflow ?? NO_WORKFLOW;

/** The workflow that a run was queued from; the open one for a run that this page has not queued. @param {string} run */
export const workflowOf = (run) => queued.get(String(run))?.workflow ?? openWorkflow();

/** @returns {Signatures} */
const signaturesOnCanvas = () => new Map(ourNodes().flatMap(({ node, path }) => (isImageNode(node) ? [[path, signatureOf(node)]] : [])));

/**
 * Queues a prompt that was kept from an earlier run: its values may be others than those on the canvas now.
 * @param {Whole} whole @param {string} [run] Id of that run, where this page has queued it. @returns {Promise<{ prompt_id?: string } | undefined>}
 */
export function queueAgain(whole, run) {
  signaturesOfQueued = queued.get(String(run))?.signatures ?? new Map();
  try {
    return /** @type {any} */ (api).queuePrompt(0, whole);
  } finally {
    signaturesOfQueued = null;
  }
}

/** What this page has queued under an id. @param {string} run @returns {Whole | undefined} */
export const queuedPrompt = (run) => queued.get(String(run))?.whole;

/** Whether a node is set as it was in a run that this page has queued. @param {Comfy.Node} node @param {string} run @param {string} path */
export const isAsInRun = (node, run, path) => queued.get(String(run))?.signatures.get(path) === signatureOf(node);

/** @param {unknown} run Id of its prompt. @param {{ whole: Whole, signatures: Signatures, workflow: object }} facts */
function remember(run, facts) {
  if (run) queued.set(String(run), facts);
  while (queued.size > MOST_RUNS) queued.delete(String(queued.keys().next().value));
}

/** A run has given all pictures of a node. @param {Comfy.Node} node @param {string} prompt Its id. @param {string} path */
export function runEnded(node, prompt, path) {
  const signature = queued.get(String(prompt))?.signatures.get(path);
  if (signature === undefined) complete.delete(node);
  else complete.set(node, signature);
}

/** Whether nothing has changed since a node's last complete run. @param {Comfy.Node} node */
export function isUnchanged(node) {
  const last = complete.get(node);
  return last !== undefined && last === signatureOf(node);
}

/** All that a node's result depends on: its widgets, and those of every node before it. @param {Comfy.Node} node @returns {string} */
function signatureOf(node) {
  /** @type {Map<Comfy.Node, number>} */
  const seen = new Map();
  /** @type {unknown[]} */
  const parts = [];
  const open = [node];
  for (let each = open.pop(); each && seen.size < MOST_NODES; each = open.pop()) {
    if (seen.has(each)) continue;
    seen.set(each, seen.size);
    const sources = linkedSources(each);
    parts.push([each.comfyClass ?? each.type, valuesOf(each), sources.map((source) => [String(source.node.id), source.graph?.id, source.slot])]);
    open.push(...sources.map((source) => source.node));
  }
  return JSON.stringify(parts);
}

/** @param {Comfy.Node} node */
const valuesOf = (node) =>
  widgetsOfPrompt(node)
    .filter((widget) => widget.serialize !== false)
    .map((widget) => [widget.name, isOurs(node) ? (valueOf(node, widget.name) ?? widget.value) : widget.value]);
