/** Asks for one picture again: only the node that makes it and what feeds it run, whatever else its workflow has. */
import { confirmDialog } from "../dialog.mjs";
import { queueRecorded } from "../run_signature.mjs";
import { toast } from "../toast.mjs";
import { ask } from "../server.mjs";
import { money, t } from "../i18n.mjs";

/** @typedef {import("../server.mjs").Estimate} Estimate */
/** @typedef {{ prompt: Comfy.Prompt, workflow: Comfy.Workflow | null, node: string }} Part `node`: id of the one that makes the picture. */

/** The part of its workflow that a picture needs. Fails with an ApiError. @param {string} id Of the result. @returns {Promise<Part>} */
const onlyPrompt = (id) => ask(`/results/${encodeURIComponent(id)}/graph?only=picture`);

/**
 * That part for pictures of one node; null where the user does not agree to its price: what else is missing of its nodes may be
 * paid with them. Fails with an ApiError.
 * @param {string[]} ids Of the results. @returns {Promise<Part | null>}
 */
export async function agreedPart(ids) {
  const part = await onlyPrompt(String(ids[0]));
  const answer = await ask("/estimate", { method: "POST", body: { prompt: part.prompt, detail: true } });
  /** @type {Estimate[]} */
  const nodes = Object.values(answer.nodes);
  const n = nodes.reduce((all, node) => all + (node.pictures ?? 0) - (node.stored ?? 0), 0);
  const sure = !answer.left_out && nodes.every((node) => node.sure);
  if (n <= ids.length && sure) return part;
  const unknown = answer.left_out || nodes.some((node) => node.usd === null || node.usd === undefined);
  const usd = unknown ? null : nodes.reduce((all, node) => all + (node.usd ?? 0), 0);
  const question = t("results.pay_again_sure", { n, usd: money(usd) });
  const more = sure ? "" : ` ${t("results.pay_again_unsure")}`;
  return (await confirmDialog(question + more, t("unresolved.pay_again", { usd: money(usd) }))) ? part : null;
}

/** @param {Part} part Of the workflow that is open: its nodes show what happens. */
export async function runOnly({ prompt, workflow, node }) {
  await queueRecorded({ output: prompt, workflow: workflow ?? undefined });
  const made = prompt[node];
  toast("info", t("results.asked_again"), t("results.paying_again", { node: made?._meta?.title || made?.class_type || node }));
}
