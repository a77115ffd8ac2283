/** Gives a node another provider: in the ProviderConfig behind it, or in a new one. */
import { app } from "/scripts/app.js";
import { CONFIG, asOneUndoStep, configOf, isConfig, setWidget, valueOf } from "./graph.mjs";
import { providerStore } from "./provider_store.mjs";

const GAP = 60;
/** Room for a node's title above its position. */
const TITLE = 40;

/** The ProviderConfig of a node, made and connected where there is none. @param {Comfy.Node} node */
function findOrAddConfig(node) {
  if (isConfig(node)) return node;
  const there = configOf(node);
  if (there) return there;
  const LiteGraph = /** @type {any} */ (window).LiteGraph;
  const made = LiteGraph?.createNode?.(CONFIG);
  if (!made || !isConfig(made) || !node.graph) return undefined;
  made.pos = freePlace(node, made.size);
  node.graph.add(made);
  made.connect(
    0,
    node,
    node.inputs.findIndex((input) => input.name === "provider"),
  );
  return /** @type {Comfy.Node} */ (made);
}

/**
 * Where a new node stands beside another one: in view and over nothing where there is such a place, else to the left.
 * @param {Comfy.Node} node @param {[number, number]} size @returns {[number, number]}
 */
function freePlace(node, [width, height]) {
  const [x, y] = node.pos;
  const [left = 0, top = 0, viewWidth = 0, viewHeight = 0] = app.canvas?.ds?.visible_area ?? [];
  /** @type {[number, number][]} */
  const places = [
    [x - width - GAP, y],
    [x, y - height - GAP],
    [x, y + node.size[1] + GAP],
    [x + node.size[0] + GAP, y],
    [left + GAP / 2, top + GAP],
    [left + GAP / 2, top + viewHeight - height - GAP],
  ];
  const inView = (/** @type {[number, number]} */ [a, b]) =>
    a >= left && b - TITLE >= top && a + width <= left + viewWidth && b + height <= top + viewHeight;
  const isFree = (/** @type {[number, number]} */ [a, b]) =>
    (node.graph?.nodes ?? []).every(
      (/** @type {any} */ each) =>
        a + width < each.pos[0] || each.pos[0] + each.size[0] < a || b + height < each.pos[1] - TITLE || each.pos[1] + each.size[1] < b - TITLE,
    );
  return places.find((place) => inView(place) && isFree(place)) ?? places.find(isFree) ?? [x - width - GAP, y];
}

/** @param {Comfy.Node} node @param {string} provider @param {string} [model] */
export function addProvider(node, provider, model) {
  asOneUndoStep(() => {
    const config = findOrAddConfig(node);
    if (!config) return;
    setWidget(config, "profile", "default");
    setWidget(config, "model_override", "");
    setWidget(config, "provider", provider);
    if (model) setWidget(config, "model", model);
  });
}

/**
 * Providers that could be asked instead of one that can't, in the order of `auto`.
 * @param {string} failing Its id; "" for none.
 */
export const usableOthers = (failing) =>
  providerStore.usableByAuto.filter((provider) => provider.id !== failing && !providerStore.refused(provider));

/**
 * Runs the node as `auto`, with the same kind of model; where `auto` would ask the one that fails, as another provider.
 * @param {Comfy.Node} config @param {string} [failing] The id of the provider that can't be asked.
 */
export const useMyProvider = (config, failing = "") => asOneUndoStep(() => setMyProvider(config, failing));

/** @param {Comfy.Node} config @param {string} failing */
function setMyProvider(config, failing) {
  const local = providerStore.providers.find((provider) => provider.local);
  const named = providerStore.provider(String(valueOf(config, "provider") ?? ""));
  const name = String(valueOf(config, "model") ?? "recommended");
  const family = (named ?? local)?.models.find((model) => model.name === name)?.family;
  const others = usableOthers(failing);
  const [first] = providerStore.usableByAuto;
  const [other] = others;
  const chosen = other && first && first.id !== other.id ? other : undefined; // `auto` begins with one that fails
  const of = chosen ? [chosen] : others;
  const possible = of.some((provider) => provider.models.some((model) => model.family === family));
  const common = (chosen ?? local)?.models.find((model) => model.family === family)?.name;
  setWidget(config, "provider", chosen ? chosen.id : "auto");
  setWidget(config, "profile", "default");
  setWidget(config, "model_override", "");
  setWidget(config, "model", possible && common ? common : "recommended");
}

/** The free way: the node's provider becomes the simulation, made where there is none. @param {Comfy.Node} node */
export const tryOffline = (node) => addProvider(node, "offline");
