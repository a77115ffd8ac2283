/** The part of a workflow that one node needs: that node, what feeds it, and a node that shows its pictures. */
import { api } from "/scripts/api.js";
import { app } from "/scripts/app.js";
import { idsNeededBy, ourNodes } from "./graph.mjs";
import { queuedPrompt } from "./run_signature.mjs";

/**
 * @typedef {object} Part What runs of a workflow.
 * @property {Comfy.Prompt} prompt @property {Comfy.Workflow | null} workflow
 * @property {string} node Id of the one that makes the pictures.
 * @property {string} [run] Id of the prompt that this page has queued it with before.
 */

/** What a node on the canvas needs; null where it does not run. @param {Comfy.Node} node @returns {Promise<Part | null>} */
export async function partOnCanvas(node) {
  const path = ourNodes().find((each) => each.node === node)?.path ?? "";
  const { output, workflow } = await app.graphToPrompt();
  return output[path] ? { prompt: partOfPrompt(output, path), workflow, node: path } : null;
}

/**
 * What a node needed in a run, exactly as it was queued, whatever is on the canvas now; null where this page has not queued it.
 * @param {string} run Id of its prompt. @param {string} path Id of the node in it. @returns {Part | null}
 */
export function queuedPart(run, path) {
  const { output, workflow } = queuedPrompt(run) ?? {};
  return output?.[path] ? { prompt: partOfPrompt(output, path), workflow: workflow ?? null, node: path, run } : null;
}

/** Queues a part as it is on the canvas. @param {Part} part @returns {Promise<unknown>} */
export const queuePart = ({ prompt, workflow }) => /** @type {any} */ (api).queuePrompt(0, { output: prompt, workflow: workflow ?? undefined });

/** @param {Comfy.Prompt} output A whole prompt. @param {string} path Id of a node in it. */
function partOfPrompt(output, path) {
  const needed = idsNeededBy(output, [path]);
  /** @type {Comfy.Prompt} */
  const prompt = Object.fromEntries(Object.entries(output).filter(([id]) => needed.has(id)));
  // The host runs only what feeds a node that shows or saves something.
  let preview = "preview";
  while (output[preview]) preview += "_";
  prompt[preview] = { class_type: "PreviewImage", inputs: { images: [path, 0] } };
  return prompt;
}
