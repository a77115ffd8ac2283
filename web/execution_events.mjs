/** Follows execution: what a node spent, why it failed, what was stopped; and warns of a queue that runs by itself. */
import { api } from "/scripts/api.js";
import { failureNote } from "./failure_note.mjs";
import { hideProgress, markEarlier, showProgress } from "./node_footer.mjs";
import { providerStore } from "./provider_store.mjs";
import { queueMode, queueSettings } from "./queue_mode.mjs";
import { runNotes } from "./run_note.mjs";
import { dropOutcome, showOutcome, shownNode } from "./run_outcomes.mjs";
import { followQueued, runEnded } from "./run_signature.mjs";
import { isImageNode, ourNodes } from "./graph.mjs";
import { onServerEvent } from "./server.mjs";
import { scheduleEstimates } from "./pricing.mjs";
import { rereadAnswers } from "./results.mjs";
import { toast } from "./toast.mjs";
import { showPreviews } from "./result_previews.mjs";
import { rememberSizes } from "./true_sizes.mjs";
import { t } from "./i18n.mjs";
import { learnMessages, localized, localizedText } from "./server_messages.mjs";

/** @typedef {import("./server.mjs").Failed} Failed */

/** @type {Set<string>} */
let cached = new Set();

/** Id of the prompt that runs. */
let running = "";

/** Where each running node is. @type {Map<string, string>} */
const stages = new Map();

/**
 * What failed in a node whose error event follows: the event has text only.
 * @type {Map<string, { failed: Failed[], error: import("./failure_note.mjs").Failure }>}
 */
const failures = new Map();

/** Paths of the nodes of which the host has shown a picture in this run. */
const shown = new Set();

/** Errors after which the providers are asked for again: what is known of a key has changed. */
const KEY_STATE_ERRORS = ["key", "account", "credit", "quota"];

/** Begins to listen. @param {{ resultsChanged: () => void }} others */
export function followExecution({ resultsChanged }) {
  followQueued();
  api.addEventListener("execution_start", ({ detail }) => {
    running = String(detail.prompt_id);
    cached = new Set();
    stages.clear();
    failures.clear();
    shown.clear();
    for (const { node } of ourNodes()) {
      rememberSizes(node, []);
      hideProgress(node);
    }
  });
  api.addEventListener("b_preview_with_metadata", ({ detail }) => shown.add(String(detail.nodeId)));
  api.addEventListener("execution_cached", ({ detail }) => {
    cached = new Set(detail.nodes.map(String));
    for (const id of cached) {
      const node = shownNode(running, id);
      if (!node || !isImageNode(node)) continue;
      runEnded(node, detail.prompt_id, id);
      showOutcome(running, id, { notes: () => [{ text: t("run.cached"), tone: "good" }], earlier: false });
    }
  });
  api.addEventListener("executed", ({ detail }) => {
    const output = /** @type {import("./result_previews.mjs").Output} */ (detail.output ?? {});
    const texts = output.nano_banana ?? [];
    if (!texts.length) return;
    for (const table of output.nano_banana_messages ?? []) learnMessages(JSON.parse(table));
    const infos = texts.map((text) => localized(JSON.parse(text)));
    const [run, path] = [String(detail.prompt_id), String(detail.node)];
    const node = shownNode(run, path);
    if (node) {
      rememberSizes(node, infos.flatMap((info) => info.images));
      showPreviews(node, output);
      if (!cached.has(path) && infos.every((info) => !info.failed.length && !info.pending?.length)) runEnded(node, run, path);
    }
    const earlier = !infos.some((info) => info.images.length) && !shown.has(path);
    const following = follow(run, path, earlier, resultsChanged);
    if (!cached.has(path)) showOutcome(run, path, { notes: (each) => runNotes(each, infos, following), earlier });
    resultsChanged();
    scheduleEstimates();
  });
  api.addEventListener("execution_error", async ({ detail }) => {
    const [run, path] = [String(detail.prompt_id), String(detail.node_id)];
    const known = failures.get(path);
    if (!known && !shownNode(run, path)) return;
    if (known && KEY_STATE_ERRORS.includes(known.error.kind)) await providerStore.refresh().catch(() => undefined);
    // A failure that is not one of ours says nothing about the money.
    const earlier = !shown.has(path);
    const following = follow(run, path, earlier, resultsChanged);
    /** @param {Comfy.Node} node @returns {import("./node_notes.mjs").Note[]} */
    const notes = (node) => [
      known ? eventNote(node, known, following) : { text: "", title: localizedText(detail.exception_message.trim()), tone: "bad" },
    ];
    showOutcome(run, path, { notes, earlier });
    resultsChanged();
    scheduleEstimates();
  });
  onServerEvent("nano_banana.progress", ({ node: id, who, text, messages, sizes }) => {
    dropOutcome(running, String(id));
    const node = shownNode(running, id);
    if (!node) return;
    const stage = text.replace(/[\d.]+ (s|of [\d.]+ MB)\b/g, ""); // the seconds alone are no news
    if (stage !== stages.get(String(id))) resultsChanged();
    stages.set(String(id), stage);
    rememberSizes(node, sizes ?? []);
    showProgress(node, { who, text: localized(text, messages) });
    markEarlier(node, false);
  });
  for (const name of ["execution_success", "execution_interrupted"]) {
    api.addEventListener(/** @type {"execution_success"} */ (name), () => {
      for (const { node } of ourNodes()) hideProgress(node);
      resultsChanged();
      scheduleEstimates();
    });
  }
  onServerEvent("nano_banana.stopped", (detail) => {
    learnMessages(detail.messages);
    const text = localizedText(String(detail.text));
    const path = String(detail.node);
    showOutcome(running, path, { notes: () => [{ text, tone: "warn" }], earlier: !shown.has(path) });
    if (Number(detail.on_the_way) > 0) toast("warn", t("toast.stopped"), text);
    resultsChanged();
  });
  onServerEvent("nano_banana.failed", (detail) => {
    learnMessages(detail.messages);
    failures.set(String(detail.node), localized(detail));
  });
  queueSettings()?.$subscribe?.(warnAboutAutoQueue);
  api.addEventListener("graphChanged", warnAboutAutoQueue);
}

/**
 * What a node says of a failure that is one of ours.
 * @param {Comfy.Node} node @param {{ failed: Failed[], error: import("./failure_note.mjs").Failure }} facts
 * @param {import("./failure_note.mjs").Following} following
 */
function eventNote(node, { failed, error }, following) {
  // Of a request that waits for a decision the first thing to know is that it was not sent again, and that the next run does it.
  const waits = error.kind === "doubt";
  const title = waits ? t("failure.asked_before") : error.what;
  const request = error.request_id && t("failure.request_id", { id: error.request_id });
  const details = [...(waits ? [error.what] : []), error.money, error.cure, request];
  return failureNote(node, { title, details, kind: error.kind, charged: error.charged, failed, asked: error.provider, ...following });
}

/**
 * What follows from the buttons of a failure.
 * @param {string} run Id of its prompt. @param {string} path Id of the node in it. @param {boolean} earlier As in its outcome.
 * @param {() => void} resultsChanged @returns {import("./failure_note.mjs").Following}
 */
function follow(run, path, earlier, resultsChanged) {
  /** @param {string} text @param {"good" | "plain"} [tone] */
  const settled = (text, tone = "plain") => {
    showOutcome(run, path, { notes: () => [{ text, tone }], earlier });
    resultsChanged();
    scheduleEstimates();
  };
  /** @param {string[]} ids */
  const reread = async (ids) => {
    const { pictures, reasons } = await rereadAnswers(ids);
    if (!reasons.length) settled(`${t("results.was_read", { n: pictures })}\n${t("run.queue_again")}`, "good");
  };
  return { run, path, reread, settled };
}

/** The mode that was warned of. */
let warned = "";

/** A queue on Instant or On Change pays for every new seed without a click: warned of once, when both are there. */
export function warnAboutAutoQueue() {
  const mode = queueMode();
  if (mode === "disabled") warned = "";
  else if (mode !== warned && ourNodes().some(({ node }) => isImageNode(node))) {
    warned = mode;
    toast("warn", t("toast.queue"), t(mode === "change" ? "toast.queue_change" : "toast.queue_instant"));
  }
}
