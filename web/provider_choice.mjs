/** Gives a node another provider: in the ProviderConfig behind it, or in a new one. */
import { CONFIG, asOneUndoStep, configOf, isConfig, setWidget, valueOf } from "./graph.mjs";
import { providerStore } from "./provider_store.mjs";

/** The ProviderConfig of a node, made and connected where there is none. @param {Comfy.Node} node */
export function findOrAddConfig(node) {
  if (isConfig(node)) return node;
  const there = configOf(node);
  if (there) return there;
  const LiteGraph = /** @type {any} */ (window).LiteGraph;
  const made = LiteGraph?.createNode?.(CONFIG);
  if (!made || !isConfig(made) || !node.graph) return undefined;
  made.pos = [node.pos[0] - made.size[0] - 60, node.pos[1]];
  node.graph.add(made);
  made.connect(
    0,
    node,
    node.inputs.findIndex((input) => input.name === "provider"),
  );
  return /** @type {Comfy.Node} */ (made);
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
