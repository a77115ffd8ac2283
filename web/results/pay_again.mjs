/** Asks for pictures again: only the node that makes them and what feeds it run, whatever else its workflow has. */
import { api } from "/scripts/api.js";
import { app } from "/scripts/app.js";
import { confirmDialog } from "../dialog.mjs";
import { idsNeededBy, ourNodes } from "../graph.mjs";
import { missingPictures } from "../missing_pictures.mjs";
import { queueRecorded } from "../run_signature.mjs";
import { toast } from "../toast.mjs";
import { ask } from "../server.mjs";
import { money, t } from "../i18n.mjs";

/**
 * @typedef {object} Part What runs of a workflow.
 * @property {Comfy.Prompt} prompt @property {Comfy.Workflow | null} workflow
 * @property {string} node Id of the one that makes the pictures.
 * @property {boolean} [isOnCanvas] It is what is on the canvas now, and not what was kept from an earlier run.
 */

/** The part of its workflow that a picture needs, as it ran. Fails with an ApiError. @param {string} id Of the result. @returns {Promise<Part>} */
export const recordedPart = (id) => ask(`/results/${encodeURIComponent(id)}/graph?only=picture`);

/** What a node on the canvas needs; null where it does not run. @param {Comfy.Node} node @returns {Promise<Part | null>} */
export async function partOnCanvas(node) {
  const path = ourNodes().find((each) => each.node === node)?.path ?? "";
  const { output, workflow } = await app.graphToPrompt();
  if (!output[path]) return null;
  const needed = idsNeededBy(output, [path]);
  /** @type {Comfy.Prompt} */
  const prompt = Object.fromEntries(Object.entries(output).filter(([id]) => needed.has(id)));
  // The host runs only what feeds a node that shows or saves something.
  let preview = "preview";
  while (output[preview]) preview += "_";
  prompt[preview] = { class_type: "PreviewImage", inputs: { images: [path, 0] } };
  return { prompt, workflow, node: path, isOnCanvas: true };
}

/**
 * Whether the user agrees to what a part costs: asked where it is more than the pictures that the button names. Fails with an
 * ApiError, and where the host would refuse the run.
 * @param {Part} part @param {number} pictures That the button names.
 */
export async function agreesTo({ prompt }, pictures) {
  refuseMissing(prompt);
  const { n, usd, sure } = await missingPictures(prompt);
  if (n <= pictures && sure) return true;
  const cost = sure || usd ? usd : null;
  const name = sure ? "results.pay_again_sure" : cost === null ? "results.pay_again_unknown" : "results.pay_again_unsure";
  return confirmDialog(t(name, { n, usd: money(cost) }), t("unresolved.pay_again", { usd: money(cost) }));
}

/** Fails where nodes of a prompt aren't installed. @param {Comfy.Prompt} prompt */
function refuseMissing(prompt) {
  const types = /** @type {any} */ (window).LiteGraph?.registered_node_types;
  const missing = new Set(Object.values(prompt).flatMap(({ class_type: kind }) => (!types || kind in types ? [] : [kind])));
  if (missing.size) throw new Error(t("unresolved.missing_nodes", { nodes: [...missing].slice(0, 5).join(", ") }));
}

/** @param {Part} part Of the workflow that is open: its nodes show what happens. */
export async function runOnly({ prompt, workflow, node, isOnCanvas }) {
  const whole = { output: prompt, workflow: workflow ?? undefined };
  await (isOnCanvas ? /** @type {any} */ (api).queuePrompt(0, whole) : queueRecorded(whole));
  const made = prompt[node];
  toast("info", t("results.asked_again"), t("results.paying_again", { node: made?._meta?.title || made?.class_type || node }));
}
