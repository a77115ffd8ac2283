/**
 * What the pack shows below a node's own widgets: the price, a new variation, and what a person has to know or decide.
 * An element of its own in both renderers; it is neither saved with the workflow nor sent with the prompt.
 */
import { app } from "/scripts/app.js";
import { button, el } from "./dom.mjs";
import { CONFIG, FOOTER, asOneUndoStep, configOf, governing, isImageNode, setWidget, valueOf } from "./graph.mjs";
import { providerStore } from "./provider_store.mjs";
import { permissionForm } from "./permission.mjs";
import { addProvider } from "./provider_choice.mjs";
import { numberedReferences, referencesList, referencesText } from "./references.mjs";
import { unknownChoices, unknownInputs, unknownText } from "./newer_version.mjs";
import { agree, isAgreed, lostText } from "./run_check.mjs";
import { lostLinks } from "./sockets.mjs";
import { money, priceOfOne, t } from "./i18n.mjs";

/** @typedef {import("./permission.mjs").AskedModel} AskedModel */
/**
 * @typedef {{ text: string, tone: "bad" | "warn" | "good" | "plain", form?: () => HTMLElement,
 *   actions?: { text: string, title?: string, work: () => unknown }[] }} Note
 * @typedef {{ root: HTMLElement, price: HTMLElement | null, pictures: HTMLElement, picturesShown: string,
 *   notes: HTMLElement, shown: string,
 *   estimate: import("./server.mjs").Estimate | null, last: Note | null }} Footer
 */

/** @type {WeakMap<Comfy.Node, Footer>} */
const footers = new WeakMap();
const MARGIN = 6;
const ROW = 30;

/** What the footers can't do themselves; given by the entry so that nothing is imported in a circle. */
export const footerActions = {
  /** @param {Comfy.Node} node @returns {unknown} */
  showPrices: (node) => node,
  /** @param {string} [provider] @param {string} [setting] @returns {void} */
  openSettings: (provider, setting) => void [provider, setting],
};

/** @param {Comfy.Node} node */
export const footerOf = (node) => footers.get(node);

/** Adds the footer to a node that was just made. @param {Comfy.Node} node */
export function addFooter(node) {
  const notes = el("div", { class: "nb-notes", role: "status" });
  const pictures = el("div", { class: "nb-pictures" });
  const maker = isImageNode(node);
  const price = maker ? button("…", () => footerActions.showPrices(node), { class: "nb-price", title: t("price.title") }) : null;
  const inner = el(
    "div",
    { class: "nb-footer" },
    el(
      "div",
      { class: "nb-row" },
      price,
      el("span", { class: "nb-space" }),
      maker
        ? button(t("variation.button"), () => queueNewVariation(node), { title: t("variation.title") })
        : button(t("keys.button"), () => footerActions.openSettings(String(valueOf(node, "provider") ?? "")), {
            title: t("keys.title"),
          }),
    ),
    pictures,
    notes,
  );
  const root = forwardCanvasEvents(el("div", { class: "nb-footer-frame" }, inner));
  footers.set(node, { root, price, pictures, picturesShown: "", notes, shown: "", estimate: null, last: null });
  let height = ROW;
  const widget = node.addDOMWidget(FOOTER, "nano_banana_footer", root, {
    serialize: false,
    hideOnZoom: false,
    margin: MARGIN,
    getValue: () => "",
    setValue: () => {},
    getMinHeight: () => height + 2 * MARGIN,
    getMaxHeight: () => height + 2 * MARGIN,
  });
  widget.serialize = false;
  // What the notes have added to the node's height. A note comes and goes: saved with the node, its room would be added
  // again at each load.
  let added = 0;
  const serialized = node.onSerialize;
  node.onSerialize = function (saved) {
    serialized?.call(this, saved);
    if (!isVue()) saved.size = [saved.size[0], saved.size[1] - added];
  };
  const configured = node.onConfigure;
  node.onConfigure = function (saved) {
    configured?.call(this, saved);
    added = 0; // the size is the saved one
    fit();
  };
  // The classic canvas gives a node the room it has; Nodes 2.0 measures its elements itself.
  const fit = () => {
    if (isVue()) return;
    const own = node.size[1] - added;
    const whole = Math.max(own + height - ROW, node.computeSize()[1]);
    added = whole - own;
    if (whole !== node.size[1]) node.setSize([node.size[0], whole]);
  };
  new ResizeObserver(() => {
    const wanted = Math.ceil(inner.getBoundingClientRect().height / scaleOf(inner)) || ROW;
    if (wanted === height) return;
    height = wanted;
    fit();
    node.graph?.setDirtyCanvas?.(true, true);
  }).observe(inner);
}

/** @param {Comfy.Node} node @param {import("./server.mjs").Estimate | null} estimate @param {string} [why] There is none. */
export function showEstimate(node, estimate, why) {
  const footer = footers.get(node);
  if (!footer) return;
  footer.estimate = estimate;
  if (footer.price) {
    const [text, tone] = why ? [t("price.unknown"), "plain"] : priceText(node, estimate);
    footer.price.textContent = text;
    const unknown = estimate && !estimate.problem && estimate.usd_each === null;
    footer.price.title = why ?? (unknown ? t("price.counts", { usd: money(estimate.usd_counted) }) : t("price.title"));
    footer.price.dataset["tone"] = tone;
  }
  draw(node, footer);
}

/** What came of the last run; null takes it away. @param {Comfy.Node} node @param {Note | null} note */
export function showRunNote(node, note) {
  const footer = footers.get(node);
  if (!footer) return;
  footer.last = note;
  draw(node, footer);
}

/** Draws a footer again, after the providers have changed. @param {Comfy.Node} node */
export function redraw(node) {
  const footer = footers.get(node);
  if (footer) draw(node, footer);
}

/**
 * The price of the next run in a few words, and how it should look.
 * @param {Comfy.Node} node @param {import("./server.mjs").Estimate | null} estimate @returns {[string, string]}
 */
export function priceText(node, estimate) {
  if (!estimate) return ["…", "plain"];
  if (estimate.problem) return [t("price.cannot"), "bad"];
  const count = estimate.pictures ?? 1;
  const stored = estimate.stored ?? 0;
  if (stored >= count) return [t("price.stored"), "good"];
  const asked = String(valueOf(node, "resolution") ?? "auto");
  const size = estimate.resolution && asked === "auto" ? `auto → ${estimate.resolution}` : asked;
  if (estimate.usd_each === 0) return [`${size} · ${t("price.free")}`, "good"];
  const missing = count - stored;
  const each = priceOfOne(estimate);
  const about = estimate.frames_known === false ? "≈ " : "";
  const price = missing > 1 || about ? `${about}${missing} × ${each}` : each;
  const parts = [size, estimate.elements === null ? t("price.per_element", { price }) : price];
  if (stored) parts.push(t("price.some_stored", { n: stored }));
  return [parts.join(" · "), "plain"];
}

/** A new seed, then the queue: with the same seed the stored picture would come again. @param {Comfy.Node} node */
export async function queueNewVariation(node) {
  if (!governing(node, "seed").widget) {
    showRunNote(node, { text: t("variation.linked"), tone: "warn" });
    return;
  }
  const [random] = crypto.getRandomValues(new Uint32Array(1));
  setWidget(node, "seed", Number(random) >>> 1);
  await app.queuePrompt(0, 1);
}

/** Runs the node as `auto`, with the same kind of model. @param {Comfy.Node} config */
export const useMyProvider = (config) => asOneUndoStep(() => setProviderToAuto(config));

/** @param {Comfy.Node} config */
function setProviderToAuto(config) {
  const local = providerStore.providers.find((provider) => provider.local);
  const named = providerStore.provider(String(valueOf(config, "provider") ?? ""));
  const name = String(valueOf(config, "model") ?? "recommended");
  const family = (named ?? local)?.models.find((model) => model.name === name)?.family;
  const here = providerStore.providers.filter((provider) => !provider.local && providerStore.usable(provider));
  const possible = here.some((provider) => provider.models.some((model) => model.family === family));
  const common = local?.models.find((model) => model.family === family)?.name;
  setWidget(config, "provider", "auto");
  setWidget(config, "profile", "default");
  setWidget(config, "model_override", "");
  setWidget(config, "model", possible && common ? common : "recommended");
}

/** The free way: the node's provider becomes the simulation, made where there is none. @param {Comfy.Node} node */
export const tryOffline = (node) => addProvider(node, "offline");

/** @param {Comfy.Node} node @param {Footer} footer */
function draw(node, footer) {
  drawPictures(node, footer);
  const notes = notesFor(node, footer);
  const key = JSON.stringify(notes.map((note) => [note.text, note.tone, note.actions?.map((action) => action.text)]));
  if (key === footer.shown) return;
  footer.shown = key;
  footer.notes.replaceChildren(
    ...notes.map((note) =>
      el(
        "div",
        { class: "nb-note", "data-tone": note.tone },
        el("span", {}, note.text),
        note.form?.(),
        note.actions?.length
          ? el("div", { class: "nb-actions" }, ...note.actions.map((action) => button(action.text, action.work, { title: action.title })))
          : null,
      ),
    ),
  );
}

/** Which picture has which number. @param {Comfy.Node} node @param {Footer} footer */
function drawPictures(node, footer) {
  const references = numberedReferences(node);
  const text = referencesText(references);
  if (text === footer.picturesShown) return;
  footer.picturesShown = text;
  footer.pictures.replaceChildren(...referencesList(references, footer.pictures.querySelector("details")?.open ?? false));
}

/** What has to be known before a run. @param {Comfy.Node} node @returns {Note[]} */
function savedNotes(node) {
  /** @type {Note[]} */
  const notes = [];
  const inputs = unknownInputs(node);
  if (inputs.length) {
    const text = t("newer.inputs", { inputs: unknownText(inputs) });
    notes.push(isAgreed(node) ? { text, tone: "plain" } : { text, tone: "bad", actions: [agreeAction(node, t("newer.agree"))] });
  }
  const choices = unknownChoices(node);
  if (choices.length) notes.push({ text: t("newer.choices", { inputs: unknownText(choices) }), tone: "bad" });
  const links = lostLinks(node);
  if (links.length) notes.push({ text: lostText(links), tone: "warn", actions: [agreeAction(node, t("links.agree"))] });
  return notes;
}

/** @param {Comfy.Node} node @param {string} text */
function agreeAction(node, text) {
  const work = () => {
    agree(node);
    redraw(node);
  };
  return { text, work };
}

/** @param {Comfy.Node} node @param {Footer} footer @returns {Note[]} */
function notesFor(node, footer) {
  const notes = savedNotes(node);
  if (node.comfyClass === CONFIG) {
    notes.push(configNote(node));
    return notes.filter((note) => note.text);
  }
  const problem = footer.estimate?.problem;
  if (problem?.model) notes.push(permissionNote(node, problem.model));
  else if (problem) {
    notes.push({ text: `${problem.what} ${problem.cure}`.trim(), tone: "bad", actions: problemActions(node, problem.kind) });
  }
  if (footer.last && !(problem && footer.last.tone === "bad")) notes.push(footer.last);
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

/**
 * What a person can do about a problem, in one click.
 * @param {Comfy.Node} node @param {string} kind
 */
export function problemActions(node, kind) {
  const config = node.comfyClass === CONFIG ? node : configOf(node);
  const name = String((config && valueOf(config, "provider")) ?? "auto");
  const actions = [];
  const keys = ["config", "key", "credit", "quota"].includes(kind);
  const theirs = keys || kind === "address"; // another provider may do
  const setup = theirs || ["cap", "ledger"].includes(kind);
  const foreign = config !== undefined && name !== "auto" && (!providerStore.provider(name) || theirs);
  if (foreign && providerStore.providers.some((provider) => !provider.local && providerStore.usable(provider))) {
    actions.push({ text: t("action.use_mine"), work: () => useMyProvider(config) });
  }
  if (keys) actions.push({ text: t("action.settings"), work: () => footerActions.openSettings(name) });
  else if (setup) {
    actions.push({ text: t("keys.button"), work: () => footerActions.openSettings(undefined, kind === "cap" ? "cap_run" : undefined) });
  }
  if (setup || foreign) actions.push({ text: t("action.offline"), work: () => tryOffline(node) });
  return actions;
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
  if (provider.local) return { text: t("config.offline"), tone: "plain" };
  const key = provider.keys.find((each) => each.profile === profile);
  if (provider.base_url_problem) return { text: provider.base_url_problem, tone: "bad", actions: problemActions(node, "config") };
  if (key?.state === "environment") return { text: t("config.environment", { variable: key.source }), tone: "plain" };
  if (key?.state === "stored") return { text: t("config.stored", { profile }), tone: "plain" };
  if (key?.state === "disabled") return { text: key.problem, tone: "bad", actions: problemActions(node, "config") };
  const text = t(profile === "default" ? "config.no_key" : "config.no_profile", { provider: provider.label, profile });
  return { text, tone: "bad", actions: problemActions(node, "config") };
}

/**
 * The footer is a part of the canvas: the wheel zooms over it and shortcuts work from it. Only what presses a button, and a
 * note that has more to show, is its own.
 * @param {HTMLElement} root
 */
function forwardCanvasEvents(root) {
  for (const name of /** @type {const} */ (["keydown", "keyup"])) {
    root.addEventListener(name, (event) => {
      const modified = event.ctrlKey || event.metaKey || event.altKey;
      if (!modified && (event.key === "Enter" || event.key === " ")) event.stopPropagation();
    });
  }
  root.addEventListener("wheel", (event) => {
    const note = event.target instanceof Element ? event.target.closest(".nb-note") : null;
    if (note && note.scrollHeight > note.clientHeight && !event.ctrlKey) event.stopPropagation();
    else if (!isVue()) {
      event.preventDefault();
      app.canvas.processMouseWheel(event); // Nodes 2.0 listen themselves
    }
  });
  return root;
}

const isVue = () => Boolean(app.extensionManager.setting.get("Comfy.VueNodes.Enabled"));

/** How much the canvas's zoom scales an element. @param {HTMLElement} element */
function scaleOf(element) {
  return element.offsetHeight ? element.getBoundingClientRect().height / element.offsetHeight : 1;
}
