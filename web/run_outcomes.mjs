/**
 * What the last run of each node left, kept by workflow: the host makes all nodes anew when it shows another workflow, and with
 * each undo. A run may also end while another workflow is shown, in which the ids of its nodes are those of others.
 */
import { app } from "/scripts/app.js";
import { mountAgain } from "./footer_size.mjs";
import { nodeByPath, ourNodes } from "./graph.mjs";
import { markEarlier, showRunNotes } from "./node_footer.mjs";
import { hasOutputs, hasPicture } from "./result_previews.mjs";
import { openWorkflow, workflowOf } from "./run_signature.mjs";

/** @typedef {import("./node_notes.mjs").Note} Note */
/**
 * @typedef {object} Outcome
 * @property {(node: Comfy.Node) => Note[]} notes Made for the node that is there, whose buttons they have.
 * @property {boolean} earlier Whether a picture that is on the node was there before the run.
 */

/** @type {Outcome} */
const NOTHING = { notes: () => [], earlier: false };

/** By workflow, then by the node's path. @type {WeakMap<object, Map<string, Outcome>>} */
const kept = new WeakMap();

/** Shows what a run left on its node, now or when its workflow is shown again. @param {string} run Id of its prompt. @param {string} path @param {Outcome} outcome */
export function showOutcome(run, path, outcome) {
  outcomesOf(workflowOf(run)).set(path, outcome);
  const node = shownNode(run, path);
  if (node) show(node, outcome);
}

/** A new run of a node has begun. @param {string} run @param {string} path */
export const dropOutcome = (run, path) => void outcomesOf(workflowOf(run)).delete(path);

/** The node of ours that an event of a run is about; undefined while another workflow is shown. @param {string} run @param {string | number} path */
export const shownNode = (run, path) => (workflowOf(run) === openWorkflow() ? nodeByPath(path) : undefined);

/** Shows the outcomes again after each graph that the host loads. */
export function keepOutcomes() {
  const load = /** @type {(...given: any[]) => Promise<any>} */ (app.loadGraphData.bind(app));
  // Not awaited here: an error of the host would name this file in its stack.
  app.loadGraphData = /** @type {any} */ (
    (/** @type {any[]} */ ...given) => {
      const done = load(...given);
      done.then(showKept, () => undefined);
      return done;
    }
  );
}

/** The new nodes are on the canvas a while before their workflow is the open one: what an event has put there since is taken away. */
function showKept() {
  const outcomes = outcomesOf(openWorkflow());
  const nodes = new Map(ourNodes().map(({ node, path }) => [path, node]));
  for (const [path, node] of nodes) {
    mountAgain(node);
    show(node, outcomes.get(path) ?? NOTHING);
  }
  for (const path of outcomes.keys()) if (!nodes.has(path)) outcomes.delete(path); // the next node with that id is another one
}

/** @param {Comfy.Node} node @param {Outcome} outcome */
function show(node, outcome) {
  showRunNotes(node, outcome.notes(node));
  markEarlier(node, outcome.earlier && (hasPicture(node) || hasOutputs(node)));
}

/** @param {object} workflow @returns {Map<string, Outcome>} */
function outcomesOf(workflow) {
  const found = kept.get(workflow) ?? new Map();
  kept.set(workflow, found);
  return found;
}
