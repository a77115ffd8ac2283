/** Follows execution: what a node spent, why it failed, what was stopped; and warns of a queue that runs by itself. */
import { app } from "/scripts/app.js";
import { api } from "/scripts/api.js";
import { showRunNote } from "./node_footer.mjs";
import { problemActions } from "./problem_actions.mjs";
import { runNote } from "./run_note.mjs";
import { isImageNode, nodeByPath, ourNodes } from "./graph.mjs";
import { onServerEvent } from "./server.mjs";
import { scheduleEstimates } from "./pricing.mjs";
import { rereadAnswers } from "./results.mjs";
import { toast } from "./toasting.mjs";
import { t } from "./i18n.mjs";
import { learnMessages, localized, localizedText } from "./messages.mjs";

/** @typedef {import("./server.mjs").Failed} Failed */

/** @type {Set<string>} */
let cached = new Set();

/** Where each running node is. @type {Map<string, string>} */
const stages = new Map();

/** What failed in a node whose error event follows: the event has text only. @type {Map<string, Failed[]>} */
const failures = new Map();

/** How errors of ours are called, and what kind of trouble each is. */
const KINDS = /** @type {Record<string, string>} */ ({
  "NanoBanana.ConfigError": "config",
  "NanoBanana.LedgerFailed": "ledger",
  "NanoBanana.OverCap": "cap",
  "NanoBanana.KeyRefused": "key",
  "NanoBanana.NoCredit": "credit",
});

/** Begins to listen. @param {{ resultsChanged: () => void }} others */
export function followExecution({ resultsChanged }) {
  api.addEventListener("execution_start", () => {
    cached = new Set();
    stages.clear();
    failures.clear();
  });
  api.addEventListener("execution_cached", ({ detail }) => {
    cached = new Set(detail.nodes.map(String));
    for (const id of cached) {
      const node = nodeByPath(id);
      if (node && isImageNode(node)) showRunNote(node, { text: t("run.cached"), tone: "good" });
    }
  });
  api.addEventListener("executed", ({ detail }) => {
    const output = /** @type {{ nano_banana?: string[], nano_banana_messages?: string[] }} */ (detail.output ?? {});
    const texts = output.nano_banana ?? [];
    const node = texts.length ? nodeByPath(detail.node) : undefined;
    if (!node) return;
    for (const table of output.nano_banana_messages ?? []) learnMessages(JSON.parse(table));
    const infos = texts.map((text) => localized(JSON.parse(text)));
    const failed = infos.flatMap((info) => info.failed);
    if (!cached.has(String(detail.node))) showRunNote(node, { ...runNote(infos), actions: rereadActions(node, failed) });
    resultsChanged();
    scheduleEstimates();
  });
  api.addEventListener("execution_error", ({ detail }) => {
    const node = nodeByPath(detail.node_id);
    if (!node) return;
    const kind = KINDS[detail.exception_type] ?? "";
    const actions = [...rereadActions(node, failures.get(String(detail.node_id)) ?? []), ...problemActions(node, kind)];
    showRunNote(node, { text: localizedText(detail.exception_message.trim()), tone: "bad", actions });
    resultsChanged();
    scheduleEstimates();
  });
  api.addEventListener("progress_text", ({ detail }) => {
    if (!nodeByPath(detail.nodeId)) return;
    const stage = detail.text.replace(/[\d.]+ (s|of [\d.]+ MB)\b/g, ""); // the seconds alone are no news
    const id = String(detail.nodeId);
    if (stage !== stages.get(id)) resultsChanged();
    stages.set(id, stage);
  });
  for (const name of ["execution_success", "execution_interrupted"]) {
    api.addEventListener(/** @type {"execution_success"} */ (name), () => {
      resultsChanged();
      scheduleEstimates();
    });
  }
  onServerEvent("nano_banana.stopped", (detail) => {
    learnMessages(detail.messages);
    const text = localizedText(String(detail.text));
    const node = nodeByPath(detail.node);
    if (node) showRunNote(node, { text, tone: "warn" });
    if (Number(detail.on_the_way) > 0) toast("warn", t("toast.stopped"), text);
    resultsChanged();
  });
  onServerEvent("nano_banana.failed", (detail) => {
    learnMessages(detail.messages);
    failures.set(String(detail.node), localized(detail.failed));
  });
  queueSettings()?.$subscribe?.(warnAboutAutoQueue);
  api.addEventListener("graphChanged", warnAboutAutoQueue);
}

/** The button that has kept answers read again, where there are any. @param {Comfy.Node} node @param {Failed[]} failed */
function rereadActions(node, failed) {
  const ids = new Map(failed.flatMap(({ answer, id }) => (answer && id ? [[answer, id]] : [])));
  if (!ids.size) return [];
  const work = async () => {
    const { pictures, reasons } = await rereadAnswers([...ids.values()]);
    if (reasons.length) return;
    showRunNote(node, { text: `${t("results.was_read", { n: pictures })}\n${t("run.queue_again")}`, tone: "good" });
    scheduleEstimates();
  };
  return [{ text: t("results.read"), title: t("results.read_title"), work }];
}

/** The mode that was warned of. */
let warned = "";

/** A queue on Instant or On Change pays for every new seed without a click: warned of once, when both are there. */
export function warnAboutAutoQueue() {
  const mode = String(queueSettings()?.mode ?? "disabled").replace(/-.*/, "");
  if (mode === "disabled") warned = "";
  else if (mode !== warned && ourNodes().some(({ node }) => isImageNode(node))) {
    warned = mode;
    toast("warn", t("toast.queue"), t(mode === "change" ? "toast.queue_change" : "toast.queue_instant"));
  }
}

const queueSettings = () => /** @type {any} */ (app.extensionManager).queueSettings;
