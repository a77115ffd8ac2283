/** What a node says of a failure: what happened, what it cost, what can be done; the rest is folded. */
import { maskOf } from "./empty_mask.mjs";
import { problemActions } from "./problem_actions.mjs";
import { recordedPart, runOnly } from "./results/pay_again.mjs";
import { isAsInRun } from "./run_signature.mjs";
import { ask } from "./server.mjs";
import { unresolvedActions } from "./unresolved.mjs";
import { queuedPart } from "./workflow_part.mjs";
import { money, t } from "./i18n.mjs";

/** @typedef {import("./server.mjs").Failed} Failed */
/** @typedef {import("./node_notes.mjs").Note} Note */
/** @typedef {{ kind: string, what: string, money: string, cure: string, charged: string, request_id: string, provider: string }} Failure */
/**
 * @typedef {object} Outcome What a failure left, and what is done with it.
 * @property {string} title @property {string[]} details @property {string} kind
 * @property {string} charged The gravest of all. @property {Failed[]} failed @property {string} asked
 * @property {string} run Id of its prompt. @property {string} path Id of the node in it.
 * @property {(ids: string[]) => unknown} reread Reads kept answers again.
 * @property {(text: string) => void} settled What was in doubt is no longer; the text says so.
 * @typedef {Pick<Outcome, "run" | "path" | "reread" | "settled">} Following
 */

/** @param {Comfy.Node} node @param {Outcome} outcome @returns {Note} */
export function failureNote(node, outcome) {
  const { title, kind, failed, asked } = outcome;
  const charged = chargedOf(outcome);
  const lines = outcome.details.filter(Boolean);
  return {
    text: "",
    title,
    tone: "bad",
    pill: pillOf(charged, failed),
    ...(lines.length ? { details: { summary: t("failure.details"), lines } } : {}),
    actions: actionsOf(node, outcome),
    kind,
    asked,
    money: charged !== "no",
    ...(kind === "mask" ? { mask: maskOf(node) } : {}),
  };
}

/** @param {Outcome} outcome */
function chargedOf({ charged, failed }) {
  const all = [charged, ...failed.map((each) => each.charged)];
  return all.includes("yes") ? "yes" : all.includes("maybe") ? "maybe" : "no";
}

/** @param {string} charged @param {Failed[]} failed @returns {NonNullable<Note["pill"]>} */
function pillOf(charged, failed) {
  if (charged === "yes") return failed.some((each) => each.again) ? { text: t("pill.again"), tone: "good" } : { text: t("pill.paid"), tone: "bad" };
  if (charged === "maybe") {
    const usd = sumOf(failed.filter((each) => each.charged === "maybe"));
    return { text: usd ? t("pill.maybe", { usd: money(usd) }) : t("pill.maybe_unknown"), title: t("pill.maybe_title"), tone: "warn" };
  }
  return { text: t("pill.no"), tone: "good" };
}

/** @param {Failed[]} failed */
const sumOf = (failed) => failed.reduce((sum, each) => sum + (each.usd ?? 0), 0);

/** @param {Comfy.Node} node @param {Outcome} outcome @returns {import("./dom.mjs").Action[]} */
function actionsOf(node, { failed, kind, asked, run, path, reread, settled }) {
  /** @type {import("./dom.mjs").Action[]} */
  const actions = [];
  const again = failed.filter((each) => each.again && each.id).map((each) => String(each.id));
  if (again.length) {
    const work = async () => {
      const found = await ask(`/results/${encodeURIComponent(String(again[0]))}/recover`, { method: "POST" });
      settled(found.result?.picture ? t("run.queue_again") : found.text || t("results.still_recovering"));
    };
    actions.push({ text: t("failure.get"), title: t("results.recover_one_title"), work });
  }
  const answers = new Map(failed.flatMap(({ answer, id }) => (answer && id ? [[answer, id]] : [])));
  if (answers.size) {
    actions.push({ text: t("results.read"), title: t("results.read_title"), work: () => reread([...answers.values()]) });
  }
  const doubtful = failed.filter((each) => each.charged === "maybe" && each.id && !each.again);
  if (doubtful.length) {
    actions.push(
      ...unresolvedActions({
        ids: doubtful.map((each) => String(each.id)),
        provider: doubtful[0]?.provider ?? asked,
        usd: sumOf(doubtful) || null,
        hasAnswer: doubtful.some((each) => each.answer),
        // What failed is what is paid for, whatever is on the canvas by now.
        partOf: async () => queuedPart(run, path) ?? recordedPart(String(doubtful[0]?.id)),
        payAgain: (part) => runOnly(part, isAsInRun(node, run, path) ? "" : t("unresolved.as_it_was")),
        withdrawn: () => settled(t("unresolved.withdrawn")),
      }),
    );
  }
  return actions.length ? actions : problemActions(node, kind, asked || undefined);
}
