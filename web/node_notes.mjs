/** What a node says below its widgets before a run, and what remains of it beside the outcome of the last run. */
import { button } from "./dom.mjs";
import { chosenProvider, configOf, hasEmptyPrompt, isConfig, setWidget, valueOf } from "./graph.mjs";
import { maskOf } from "./empty_mask.mjs";
import { unknownChoices, unknownInputs, unknownText } from "./newer_version.mjs";
import { permissionForm } from "./permission.mjs";
import { firstActions, problemActions, realProvider } from "./problem_actions.mjs";
import { providerStore } from "./provider_store.mjs";
import { agree, isAgreed, lostText } from "./run_check.mjs";
import { lostLinks } from "./sockets.mjs";
import { t, when } from "./i18n.mjs";

/** @typedef {import("./permission.mjs").AskedModel} AskedModel */
/** @typedef {import("./server.mjs").Estimate} Estimate */
/**
 * One note. `details` are folded. `kind` and `asked` are those of a failure: what was wrong, at which provider;
 * `mask` is the mask that was in the way.
 * @typedef {{ text: string, tone: "bad" | "warn" | "good" | "plain", title?: string,
 *   pill?: { text: string, title?: string, tone: "bad" | "warn" | "good" }, details?: { summary: string, lines: string[] },
 *   form?: () => HTMLElement, actions?: import("./dom.mjs").Action[],
 *   kind?: string, asked?: string, money?: boolean, mask?: string }} Note
 * @typedef {{ estimate: Estimate | null, last: Note[], redraw: () => void }} Known
 */

/** Before Run nothing is red: nothing has failed yet. @param {Comfy.Node} node @param {Known} known @returns {Note[]} */
export function notesFor(node, known) {
  const notes = savedNotes(node, known.redraw);
  const last = known.last.filter((note) => !isOver(node, note, known.estimate));
  const failed = last.some((note) => note.tone === "bad");
  if (isConfig(node)) {
    if (!failed) notes.push(configNote(node));
    return [...notes, ...last].filter((note) => note.text || note.title);
  }
  const problem = known.estimate?.problem;
  if (problem?.model) {
    notes.push(permissionNote(node, problem.model, failed));
    return [...notes, ...last.filter((note) => note.tone !== "bad")];
  }
  if (problem && !failed) notes.push(...problemNotes(node, problem, known.estimate));
  return [...notes, ...last];
}

/** Whether what a failure says is no longer so: the key is another one, or another provider is asked. @param {Comfy.Node} node @param {Note} note @param {Estimate | null} estimate */
function isOver(node, note, estimate) {
  if (note.tone !== "bad" || note.money) return false;
  if (note.kind === "mask") return note.mask !== maskOf(node);
  if (note.kind === "prompt") return !hasEmptyPrompt(node);
  if (note.kind === "config" && !isConfig(node)) return Boolean(estimate && !estimate.problem);
  if (note.kind === "config") return providerStore.usableNamed(String(valueOf(node, "provider")), String(valueOf(node, "profile")));
  const asked = note.asked ? providerStore.provider(note.asked) : undefined;
  if (!asked) return false;
  if (note.kind === "key" && !providerStore.refused(asked)) return true;
  return Boolean(estimate?.provider && estimate.provider !== asked.id);
}

/**
 * What keeps a node from running, before anybody has tried.
 * @param {Comfy.Node} node @param {import("./server.mjs").Problem} problem @param {Estimate | null} estimate @returns {Note[]}
 */
function problemNotes(node, problem, estimate) {
  if (lacksKey(node)) return [{ text: t("first.hint"), tone: "plain", actions: firstActions(node) }];
  if (estimate?.provider) {
    // A provider is there: it is not finished yet. An empty prompt is seen without a note.
    const empty = !String(valueOf(node, "prompt") ?? "-").trim();
    return empty ? [] : [{ text: `${problem.what} ${problem.cure}`.trim(), tone: "plain" }];
  }
  return [{ text: `${problem.what} ${problem.cure}`.trim(), tone: "warn", actions: problemActions(node, problem.kind) }];
}

/** Whether nothing is wrong but that there is no key yet. @param {Comfy.Node} node */
export function lacksKey(node) {
  if (!providerStore.loaded) return false;
  const { provider: name, profile } = chosenProvider(node);
  if (name === "auto") return profile === "default" && !providerStore.usableByAuto.length;
  const provider = providerStore.provider(name);
  return provider?.needs_key === true && !provider.base_url_problem && (provider.keys.find((key) => key.profile === profile)?.state ?? "none") === "none";
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

/** Whether a model that the pack doesn't know may be asked. @param {Comfy.Node} node @param {AskedModel} model @param {boolean} failed @returns {Note} */
function permissionNote(node, model, failed) {
  const config = configOf(node);
  const named = config && String(valueOf(config, "model_override") ?? "").trim() === model.wire;
  const clear = named
    ? [button(t("allow.clear", { model: String(valueOf(config, "model")) }), () => setWidget(config, "model_override", ""))]
    : [];
  return { text: t("allow.question", model), tone: failed ? "bad" : "warn", form: () => permissionForm(model, ...clear) };
}

/** @param {Comfy.Node} node A ProviderConfig. @returns {Note} */
function configNote(node) {
  if (!providerStore.loaded) return { text: "", tone: "plain" };
  const { provider: name, profile } = chosenProvider(node);
  if (name === "auto") return autoNote(node, profile);
  const provider = providerStore.provider(name);
  if (!provider) return { text: t("config.unknown", { provider: name }), tone: "warn", actions: problemActions(node, "config") };
  if (provider.local) {
    return { text: t("config.offline"), tone: "plain", actions: realProvider(node) };
  }
  return keyNote(node, provider, profile);
}

/** Whom `auto` asks. @param {Comfy.Node} node @param {string} profile @returns {Note} */
function autoNote(node, profile) {
  // The page doesn't know of keys in variables that are named after a profile.
  if (profile !== "default") return { text: t("config.auto_profile", { profile }), tone: "plain" };
  const usable = providerStore.usableByAuto.filter(({ id }) => providerStore.usableNamed(id, profile));
  if (!usable.length) return { text: t("config.no_keys"), tone: "plain", actions: firstActions(node) };
  const named = usable.map((provider) => (providerStore.refused(provider) ? t("config.refused_name", { provider: provider.label }) : provider.label));
  return { text: t("config.auto", { providers: named.join(" → ") }), tone: "plain" };
}

/** What is known of the key that a ProviderConfig names. @param {Comfy.Node} node @param {import("./server.mjs").Provider} provider @param {string} profile @returns {Note} */
function keyNote(node, provider, profile) {
  const key = provider.keys.find((each) => each.profile === profile);
  if (provider.base_url_problem) return { text: provider.base_url_problem, tone: "warn", actions: problemActions(node, "config") };
  if (key?.state === "disabled") return { text: key.problem, tone: "warn", actions: problemActions(node, "config") };
  const bad = key?.tested?.verdict === "refused" || key?.tested?.verdict === "no credit";
  if (key && key.state !== "none" && key.tested && bad) {
    const text = key.tested.verdict === "refused" ? "config.refused" : "config.no_credit";
    const facts = { provider: provider.label, when: when(key.tested.at) };
    return { text: t(text, facts), tone: "warn", actions: problemActions(node, key.tested.verdict === "refused" ? "key" : "credit") };
  }
  if (key?.state === "environment") return { text: t("config.environment", { variable: key.source }), tone: "plain" };
  if (key?.state === "stored") return { text: t("config.stored", { profile: profile === "default" ? t("keys.default") : profile }), tone: "plain" };
  const text = t(profile === "default" ? "config.no_key" : "config.no_profile", { provider: provider.label, profile });
  return { text, tone: "plain", actions: firstActions(node) };
}
