/** What a node says below its widgets before and after a run. */
import { button } from "./dom.mjs";
import { configOf, isConfig, setWidget, valueOf } from "./graph.mjs";
import { unknownChoices, unknownInputs, unknownText } from "./newer_version.mjs";
import { permissionForm } from "./permission.mjs";
import { problemActions } from "./problem_actions.mjs";
import { useMyProvider } from "./provider_choice.mjs";
import { providerStore } from "./provider_store.mjs";
import { agree, isAgreed, lostText } from "./run_check.mjs";
import { lostLinks } from "./sockets.mjs";
import { t } from "./i18n.mjs";

/** @typedef {import("./permission.mjs").AskedModel} AskedModel */
/**
 * @typedef {{ text: string, tone: "bad" | "warn" | "good" | "plain", form?: () => HTMLElement,
 *   actions?: { text: string, title?: string, work: () => unknown }[] }} Note
 * @typedef {{ estimate: import("./server.mjs").Estimate | null, last: Note | null, redraw: () => void }} Known
 */

/** @param {Comfy.Node} node @param {Known} known @returns {Note[]} */
export function notesFor(node, known) {
  const notes = savedNotes(node, known.redraw);
  if (isConfig(node)) {
    notes.push(configNote(node));
    return notes.filter((note) => note.text);
  }
  const problem = known.estimate?.problem;
  if (problem?.model) notes.push(permissionNote(node, problem.model));
  else if (problem) {
    notes.push({ text: `${problem.what} ${problem.cure}`.trim(), tone: "bad", actions: problemActions(node, problem.kind) });
  }
  if (known.last && !(problem && known.last.tone === "bad")) notes.push(known.last);
  return notes;
}

/** Whether a model that the pack doesn't know may be asked. @param {Comfy.Node} node @param {AskedModel} model @returns {Note} */
function permissionNote(node, model) {
  const config = configOf(node);
  const named = config && String(valueOf(config, "model_override") ?? "").trim() === model.wire;
  const clear = named
    ? [button(t("allow.clear", { model: String(valueOf(config, "model")) }), () => setWidget(config, "model_override", ""))]
    : [];
  return { text: t("allow.question", model), tone: "bad", form: () => permissionForm(model, ...clear) };
}

/** What has to be known before a run. @param {Comfy.Node} node @param {() => void} redraw @returns {Note[]} */
function savedNotes(node, redraw) {
  /** @type {Note[]} */
  const notes = [];
  const inputs = unknownInputs(node);
  if (inputs.length) {
    const text = t("newer.inputs", { inputs: unknownText(inputs) });
    notes.push(isAgreed(node) ? { text, tone: "plain" } : { text, tone: "bad", actions: [agreeAction(node, redraw, t("newer.agree"))] });
  }
  const choices = unknownChoices(node);
  if (choices.length) notes.push({ text: t("newer.choices", { inputs: unknownText(choices) }), tone: "bad" });
  const links = lostLinks(node);
  if (links.length) notes.push({ text: lostText(links), tone: "warn", actions: [agreeAction(node, redraw, t("links.agree"))] });
  return notes;
}

/** @param {Comfy.Node} node @param {() => void} redraw @param {string} text */
function agreeAction(node, redraw, text) {
  const work = () => {
    agree(node);
    redraw();
  };
  return { text, work };
}

/** @param {Comfy.Node} node A ProviderConfig. @returns {Note} */
function configNote(node) {
  if (!providerStore.loaded) return { text: "", tone: "plain" };
  const name = String(valueOf(node, "provider") ?? "auto");
  const profile = String(valueOf(node, "profile") ?? "default");
  const usable = providerStore.providers.filter((provider) => !provider.local && providerStore.usable(provider));
  if (name === "auto") {
    if (!usable.length) return { text: t("config.no_keys"), tone: "bad", actions: problemActions(node, "config") };
    return { text: t("config.auto", { providers: usable.map((provider) => provider.label).join(" → ") }), tone: "plain" };
  }
  const provider = providerStore.provider(name);
  if (!provider) return { text: t("config.unknown", { provider: name }), tone: "bad", actions: problemActions(node, "config") };
  if (provider.local) {
    const mine = { text: t("action.use_mine"), work: () => useMyProvider(node) };
    return { text: t("config.offline"), tone: "plain", actions: usable.length ? [mine] : [] };
  }
  const key = provider.keys.find((each) => each.profile === profile);
  if (provider.base_url_problem) return { text: provider.base_url_problem, tone: "bad", actions: problemActions(node, "config") };
  if (key?.state === "environment") return { text: t("config.environment", { variable: key.source }), tone: "plain" };
  if (key?.state === "stored") return { text: t("config.stored", { profile }), tone: "plain" };
  if (key?.state === "disabled") return { text: key.problem, tone: "bad", actions: problemActions(node, "config") };
  const text = t(profile === "default" ? "config.no_key" : "config.no_profile", { provider: provider.label, profile });
  return { text, tone: "bad", actions: problemActions(node, "config") };
}
