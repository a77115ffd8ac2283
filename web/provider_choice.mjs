/** Gives a node another provider: in the ProviderConfig behind it, or in a new one. */
import { CONFIG, asOneUndoStep, configOf, setWidget } from "./graph.mjs";

/** The ProviderConfig of a node, made and connected where there is none. @param {Comfy.Node} node */
export function findOrAddConfig(node) {
  if (node.comfyClass === CONFIG) return node;
  const there = configOf(node);
  if (there) return there;
  const LiteGraph = /** @type {any} */ (window).LiteGraph;
  const made = LiteGraph?.createNode?.(CONFIG);
  if (!made || !node.graph) return undefined;
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
