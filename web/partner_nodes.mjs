/** Puts a node of ours in the place of the host's own Gemini image node, which is paid in the host's credits. */
import { app } from "/scripts/app.js";
import { freePlaceBeside } from "./free_place.mjs";
import { CONFIG, asOneUndoStepAsync, hasLink, linkOf, seedControl, setWidget, slotOf, widgetOf } from "./graph.mjs";
import { configRoom } from "./provider_choice.mjs";
import { toast } from "./toast.mjs";
import { t } from "./i18n.mjs";

/** The model of each of the host's nodes, by our names; what is chosen in the node decides where it has several. */
const MODELS = /** @type {Record<string, string>} */ ({
  GeminiImageNode: "nano-banana",
  GeminiImage2Node: "nano-banana-pro",
  GeminiNanoBanana2: "nano-banana-2",
  GeminiNanoBanana2V2: "nano-banana-2",
});
/** Values that both have under the same name. */
const ALIKE = ["prompt", "aspect_ratio", "resolution"];
/** Those that are kept where a person has changed them: ours leave them to the provider, and not every provider takes them. */
const CHOSEN = ["system_prompt", "temperature", "top_p"];
const DEFAULT_THINKING = "minimal";
/** Ours take seeds below it. */
const SEEDS = 2 ** 31;
const MOST_IMAGES = 14;
/** So many frames are waited for a socket: each comes a frame after the one before it is linked. */
const MOST_FRAMES = 10;

/** @typedef {any} Node A node of the host, whose inside its types don't describe. */
/** @typedef {{ name: string, origin: Node, slot: number }} Feed What is linked into an input. */

/** @param {Comfy.Node} node */
export const isPartnerNode = (node) => Object.hasOwn(MODELS, node.comfyClass ?? "");

/**
 * Replaces a node of the host by one of ours and a provider node with the same model: values and links are kept, and one Ctrl+Z
 * takes everything back.
 * @param {Comfy.Node} node
 */
export const useMyOwnKey = (node) => asOneUndoStepAsync(() => replace(node));

/** @param {Node} node */
async function replace(node) {
  const { graph } = node;
  const feeds = feedsOf(node);
  const images = feeds.filter(({ name }) => /(^|\.)images?([._]|$)/.test(name));
  const made = create(images.length ? "NanoBananaEdit" : "NanoBananaGenerate");
  const config = create(CONFIG);
  if (!made || !config) return;
  made.pos = [...node.pos];
  made.mode = node.mode;
  if (node.title !== node.constructor.title) made.title = node.title;
  graph.add(made);
  copyValues(node, made);
  for (const [index, image] of images.slice(0, MOST_IMAGES).entries()) await connect(image, made, `images.image_${index + 1}`);
  for (const feed of feeds) if (!images.includes(feed)) await connect(feed, made, lastPart(feed.name));
  moveOutputs(node, made);
  await remove(node);
  config.pos = freePlaceBeside(made, configRoom(config));
  graph.add(config);
  setWidget(config, "model", modelOf(node));
  config.connect(0, made, slotOf(made, "provider"));
  app.canvas.selectNode?.(made);
  await frame(); // the last linked reference gets a free socket behind it: it belongs to this step
  await frame();
  if (feeds.some(({ name }) => lastPart(name) === "files")) toast("warn", t("menu.own_key"), t("partner.files"));
}

/** Its links go first: the frontend takes away sockets that lost theirs a frame later, from a node that is there still. @param {Node} node */
async function remove(node) {
  const { graph } = node;
  for (const [slot, input] of [...node.inputs.entries()].reverse()) if (hasLink(input)) node.disconnectInput(slot);
  await frame();
  await frame();
  graph.remove(node);
}

/** @param {string} type @returns {Node} */
const create = (type) => /** @type {any} */ (window).LiteGraph.createNode(type);

const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));

/** Inputs of a choice are called by it: "model.resolution". @param {string} name */
const lastPart = (name) => name.split(".").at(-1) ?? name;

/** @param {Node} node @param {string} name @returns {any} What its widget says; undefined where it has none. */
const valueIn = (node, name) => node.widgets?.find((/** @type {any} */ widget) => lastPart(widget.name) === name)?.value;

/** The model that a node of the host asks for, by our name. @param {Node} node */
function modelOf(node) {
  const chosen = String(valueIn(node, "model") ?? "");
  if (/lite/i.test(chosen)) return "nano-banana-lite";
  return /nano banana 2/i.test(chosen) ? "nano-banana-2" : (MODELS[node.comfyClass] ?? "recommended");
}

/** In the order of the sockets. @param {Node} node @returns {Feed[]} */
const feedsOf = (node) =>
  node.inputs.filter(hasLink).flatMap((/** @type {any} */ input) => {
    const link = linkOf(node.graph, input.link);
    const origin = link && node.graph.getNodeById(link.origin_id);
    return origin ? [{ name: String(input.name), origin, slot: link.origin_slot }] : [];
  });

/** @param {Node} node @param {Node} made */
function copyValues(node, made) {
  const { input = {} } = node.constructor.nodeData ?? {};
  const standard = (/** @type {string} */ name) => (input.optional?.[name] ?? input.required?.[name])?.[1]?.default;
  const names = [...ALIKE, ...CHOSEN.filter((name) => valueIn(node, name) !== standard(name))];
  for (const name of names) setOffered(made, name, valueIn(node, name));
  setOffered(made, "seed", Number(valueIn(node, "seed") ?? 0) % SEEDS);
  const [control, ours] = [node, made].map(seedControl);
  if (control && ours) ours.value = control.value;
  const thinking = String(valueIn(node, "thinking_level") ?? DEFAULT_THINKING).toLowerCase();
  if (thinking !== DEFAULT_THINKING) setOffered(made, "thinking", thinking);
  // Words cost tokens: they are asked for where somebody reads them.
  if (node.outputs?.[1]?.links?.length && valueIn(node, "response_modalities") === "IMAGE+TEXT") setOffered(made, "with_text", true);
}

/** Sets a value where the widget has it. @param {Node} node @param {string} name @param {unknown} value */
function setOffered(node, name, value) {
  const values = /** @type {any} */ (widgetOf(node, name))?.options?.values;
  if (value !== undefined && !(Array.isArray(values) && !values.includes(value))) setWidget(node, name, value);
}

/** @param {Feed} feed @param {Node} made @param {string} input Left alone where ours has no such input. */
async function connect({ origin, slot }, made, input) {
  const isReference = input.startsWith("images.");
  for (let frames = 0; isReference && frames < MOST_FRAMES && slotOf(made, input) < 0; frames += 1) await frame();
  const at = slotOf(made, input);
  if (at >= 0) origin.connect(slot, made, at);
}

/** Pictures, text and drafts go on from our outputs; what ours doesn't have ends. @param {Node} node @param {Node} made */
function moveOutputs(node, made) {
  for (const [index, name] of ["images", "text", "thoughts"].entries()) {
    const at = made.outputs.findIndex((/** @type {any} */ output) => output.name === name);
    for (const id of [...(node.outputs[index]?.links ?? [])]) {
      const link = linkOf(node.graph, id);
      const target = link && node.graph.getNodeById(link.target_id);
      if (at >= 0 && target) made.connect(at, target, link.target_slot);
    }
  }
}
