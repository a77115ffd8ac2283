/** Follows execution: what a node spent, why it failed, what was stopped; and warns of a queue that runs by itself. */
import { api } from "/scripts/api.js";
import { failureNote } from "./failure_note.mjs";
import { hideProgress, markEarlier, showProgress, showRunNotes } from "./node_footer.mjs";
import { providerStore } from "./provider_store.mjs";
import { queueMode, queueSettings } from "./queue_mode.mjs";
import { runNotes } from "./run_note.mjs";
import { followQueued, runEnded } from "./run_signature.mjs";
import { isImageNode, nodeByPath, ourNodes } from "./graph.mjs";
import { onServerEvent } from "./server.mjs";
import { scheduleEstimates } from "./pricing.mjs";
import { rereadAnswers } from "./results.mjs";
import { toast } from "./toast.mjs";
import { hasPicture, showPreviews } from "./result_previews.mjs";
import { rememberSizes } from "./true_sizes.mjs";
import { t } from "./i18n.mjs";
import { learnMessages, localized, localizedText } from "./server_messages.mjs";

/** @typedef {import("./server.mjs").Failed} Failed */

/** @type {Set<string>} */
let cached = new Set();

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
  api.addEventListener("execution_start", () => {
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
      const node = nodeByPath(id);
      if (!node || !isImageNode(node)) continue;
      runEnded(node, detail.prompt_id, id);
      showRunNotes(node, [{ text: t("run.cached"), tone: "good" }]);
      markEarlier(node, false);
    }
  });
  api.addEventListener("executed", ({ detail }) => {
    const output = /** @type {import("./result_previews.mjs").Output} */ (detail.output ?? {});
    const texts = output.nano_banana ?? [];
    const node = texts.length ? nodeByPath(detail.node) : undefined;
    if (!node) return;
    for (const table of output.nano_banana_messages ?? []) learnMessages(JSON.parse(table));
    const infos = texts.map((text) => localized(JSON.parse(text)));
    rememberSizes(node, infos.flatMap((info) => info.images));
    showPreviews(node, output);
    markEarlier(node, !infos.some((info) => info.images.length) && isEarlier(node, detail.node));
    if (!cached.has(String(detail.node))) {
      if (infos.every((info) => !info.failed.length && !info.pending?.length)) runEnded(node, detail.prompt_id, String(detail.node));
      showRunNotes(node, runNotes(node, infos, follow(node, detail, resultsChanged)));
    }
    resultsChanged();
    scheduleEstimates();
  });
  api.addEventListener("execution_error", async ({ detail }) => {
    const node = nodeByPath(detail.node_id);
    if (!node) return;
    const known = failures.get(String(detail.node_id));
    if (known && KEY_STATE_ERRORS.includes(known.error.kind)) await providerStore.refresh().catch(() => undefined);
    // A failure that is not one of ours says nothing about the money.
    const note = known
      ? eventNote(node, known, follow(node, { prompt_id: detail.prompt_id, node: detail.node_id }, resultsChanged))
      : { text: "", title: localizedText(detail.exception_message.trim()), tone: /** @type {"bad"} */ ("bad") };
    showRunNotes(node, [note]);
    markEarlier(node, isEarlier(node, detail.node_id));
    resultsChanged();
    scheduleEstimates();
  });
  onServerEvent("nano_banana.progress", ({ node: id, who, text, messages, sizes }) => {
    const node = nodeByPath(id);
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
    const node = nodeByPath(detail.node);
    if (node) {
      showRunNotes(node, [{ text, tone: "warn" }]);
      markEarlier(node, isEarlier(node, detail.node));
    }
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

/** Whether what a node shows was there before this run. @param {Comfy.Node} node @param {string | number} path */
const isEarlier = (node, path) => hasPicture(node) && !shown.has(String(path));

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
 * @param {Comfy.Node} node @param {{ prompt_id: string, node: string | number }} where Ids of the run's prompt and of the node in it.
 * @param {() => void} resultsChanged @returns {import("./failure_note.mjs").Following}
 */
function follow(node, { prompt_id: run, node: path }, resultsChanged) {
  /** @param {string} text @param {"good" | "plain"} [tone] */
  const settled = (text, tone = "plain") => {
    showRunNotes(node, [{ text, tone }]);
    resultsChanged();
    scheduleEstimates();
  };
  /** @param {string[]} ids */
  const reread = async (ids) => {
    const { pictures, reasons } = await rereadAnswers(ids);
    if (!reasons.length) settled(`${t("results.was_read", { n: pictures })}\n${t("run.queue_again")}`, "good");
  };
  return { run: String(run), path: String(path), reread, settled };
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
