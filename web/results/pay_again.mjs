/** Asks for one picture again: only the node that makes it and what feeds it run, whatever else its workflow has. */
import { api } from "/scripts/api.js";
import { toast } from "../toasting.mjs";
import { ask } from "../server.mjs";
import { t } from "../i18n.mjs";

/** @typedef {import("../server.mjs").Result} Result */
/** @typedef {{ prompt: Comfy.Prompt, workflow: Comfy.Workflow | null, node: string }} Part `node`: id of the one that makes the picture. */

/** The part of its workflow that a picture needs. Fails with an ApiError. @param {Result} result @returns {Promise<Part>} */
export const onlyPrompt = (result) => ask(`/results/${encodeURIComponent(result.id)}/graph?only=picture`);

/** @param {Part} part Of the workflow that is open: its nodes show what happens. */
export async function runOnly({ prompt, workflow, node }) {
  await /** @type {any} */ (api).queuePrompt(0, { output: prompt, workflow: workflow ?? undefined });
  const made = prompt[node];
  toast("info", t("results.asked_again"), t("results.paying_again", { node: made?._meta?.title || made?.class_type || node }));
}
