/** Asks for pictures again: only the node that makes them and what feeds it run, whatever else its workflow has. */
import { confirmDialog } from "../dialog.mjs";
import { missingPictures } from "../missing_pictures.mjs";
import { queueAgain } from "../run_signature.mjs";
import { toast } from "../toast.mjs";
import { ask } from "../server.mjs";
import { money, sentences, t } from "../i18n.mjs";

/** @typedef {import("../workflow_part.mjs").Part} Part */

/** The part of its workflow that a picture needs, as it ran. Fails with an ApiError. @param {string} id Of the result. @returns {Promise<Part>} */
export const recordedPart = (id) => ask(`/results/${encodeURIComponent(id)}/graph?only=picture`);

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

/** @param {Part} part As it ran. @param {string} [more] What the user has to know about it as well. @returns {Promise<string>} The id of its prompt. */
export async function runOnly({ prompt, workflow, node, run }, more = "") {
  const queued = await queueAgain({ output: prompt, workflow: workflow ?? undefined }, run);
  const made = prompt[node];
  const name = made?._meta?.title || made?.class_type || node;
  toast("info", t("results.asked_again"), sentences(t("results.paying_again", { node: name }), more));
  return String(queued?.prompt_id ?? "");
}
