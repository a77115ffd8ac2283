/** Gives a node another provider: in the ProviderConfig behind it, or in a new one. */
import { freePlaceBeside } from "./free_place.mjs";
import { CONFIG, asOneUndoStep, configOf, isConfig, setWidget, slotOf, valueOf } from "./graph.mjs";
import { providerStore } from "./provider_store.mjs";

const CONFIG_HEIGHT = 260;

/** The ProviderConfig of a node, made and connected where there is none. @param {Comfy.Node} node */
function findOrAddConfig(node) {
  if (isConfig(node)) return node;
  const there = configOf(node);
  if (there) return there;
  const LiteGraph = /** @type {any} */ (window).LiteGraph;
  const made = LiteGraph?.createNode?.(CONFIG);
  if (!made || !isConfig(made) || !node.graph) return undefined;
  made.pos = freePlaceBeside(node, configRoom(made));
  node.graph.add(made);
  made.connect(0, node, slotOf(node, "provider"));
  return /** @type {Comfy.Node} */ (made);
}

/**
 * The room of a ProviderConfig with what it says below its widgets, which it gets after it is placed.
 * @param {{ size: ArrayLike<number> }} made @returns {[number, number]}
 */
export const configRoom = ({ size }) => [Number(size[0]), Math.max(Number(size[1]), CONFIG_HEIGHT)];

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
 * Providers that could be asked with their usual key instead of one that can't, in the order of `auto`.
 * @param {string} failing Its id; "" for none.
 */
export const usableOthers = (failing) =>
  providerStore.usableByAuto.filter(({ id }) => id !== failing && providerStore.usableNamed(id, "default")).filter((provider) => !providerStore.refused(provider));

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
