/**
 * Limits the choices of a node's widgets to what its provider and model support. A saved value that isn't possible stays
 * where it is, marked by the host as one that isn't in the list; the footer says why.
 */
import { providerStore, modelOf } from "./provider_store.mjs";
import { chosenProvider, governing, isConfig, isImageNode, setWidget, valueOf, widgetOf } from "./graph.mjs";

/** @typedef {import("./server.mjs").Provider} Provider */
/** @typedef {import("./server.mjs").Capabilities} Capabilities */

/** Widget of ours -> the option's name among the provider's capabilities. */
const OPTIONS = {
  safety_tolerance: "safety_tolerance",
  limit_generations: "limit_generations",
  output_format: "output_format",
  thinking: "thinking",
};

/** All values of a combo as the schema has them. @type {WeakMap<object, string[]>} */
const schemaValuesByWidget = new WeakMap();
/** The provider a ProviderConfig had before it was changed. @type {WeakMap<Comfy.Node, string>} */
const previousProvider = new WeakMap();

/** @param {Comfy.Node} node Makes a node's choices those of its provider. */
export function updateWidgetOptions(node) {
  if (!providerStore.loaded) return;
  if (isConfig(node)) updateConfigOptions(node);
  else if (isImageNode(node)) updateRequestOptions(node);
}

/** The provider a promoted widget had when it was last looked at: nobody calls when it changes. @type {WeakMap<Comfy.Node, string>} */
const promotedProvider = new WeakMap();

/**
 * A provider was chosen: the same kind of model is kept where the new one has it under another name.
 * @param {Comfy.Node} node A ProviderConfig.
 */
export function keepModelFamily(node) {
  const now = String(valueOf(node, "provider") ?? "");
  const old = previousProvider.get(node) ?? now;
  previousProvider.set(node, now);
  if (old === now) return;
  const model = String(valueOf(node, "model") ?? "recommended");
  const next = providerStore.provider(now);
  if (model === "recommended" || !next) return;
  const family = familyOf(old, model);
  const same = next.models.find((each) => each.family === family);
  if (family && same) setWidget(node, "model", same.name);
}

/** Remembers what is chosen before a person changes it. @param {Comfy.Node} node */
export function rememberProvider(node) {
  previousProvider.set(node, String(valueOf(node, "provider") ?? ""));
}

/** @param {string} provider @param {string} model */
function familyOf(provider, model) {
  const named = providerStore.provider(provider);
  const places = named ? [named] : providerStore.providers.filter((each) => each.local).concat(providerStore.providers);
  for (const place of places) {
    const found = place.models.find((each) => each.name === model);
    if (found) return found.family;
  }
  return "";
}

/** @param {Comfy.Node} node A ProviderConfig whose provider may be chosen on the subgraph node. */
function keepFamilyOfPromoted(node) {
  if (governing(node, "provider").from !== "subgraph") return;
  const now = String(valueOf(node, "provider") ?? "");
  const old = promotedProvider.get(node) ?? now;
  promotedProvider.set(node, now);
  if (old === now) return;
  previousProvider.set(node, old);
  keepModelFamily(node);
}

/** @param {Comfy.Node} node */
function updateConfigOptions(node) {
  keepFamilyOfPromoted(node);
  const provider = providerStore.provider(String(valueOf(node, "provider") ?? ""));
  restrictOptions(node, "provider", ["auto", ...providerStore.providers.map((each) => each.id)], true);
  const names = (provider ? [provider] : providerStore.providers).flatMap((each) => each.models.map((model) => model.name));
  const listed = schemaValues(node, "model");
  const possible = provider ? ["recommended", ...names] : [...listed, ...names];
  const inOrder = listed.filter((name) => possible.includes(name));
  restrictOptions(node, "model", [...inOrder, ...possible.filter((name) => !listed.includes(name))], true);
  const stored = provider ? provider.keys.map((key) => key.profile) : providerStore.facts.profiles;
  restrictOptions(node, "profile", ["default", ...stored.filter((name) => name !== "default")], true);
}

/** @param {Comfy.Node} node */
function updateRequestOptions(node) {
  const capabilities = capabilitiesOf(node);
  if (!capabilities.length) {
    for (const name of ["aspect_ratio", "resolution", ...Object.keys(OPTIONS)]) restrictOptions(node, name, undefined);
    return;
  }
  restrictOptions(node, "aspect_ratio", ["auto", ...union(capabilities.map((each) => each.ratios))]);
  restrictOptions(node, "resolution", ["auto", ...union(capabilities.map((each) => each.resolutions))]);
  for (const [widget, option] of Object.entries(OPTIONS)) {
    const found = capabilities.filter((each) => option in each.options);
    const values = found.map((each) => each.options[option] ?? schemaValues(node, widget));
    restrictOptions(node, widget, [schemaValues(node, widget)[0] ?? "default", ...union(values)]);
  }
}

/** What a node's provider may be asked for: of several providers where none is named. @param {Comfy.Node} node */
function capabilitiesOf(node) {
  const { provider: name, model } = chosenProvider(node);
  const operation = node.comfyClass === "NanoBananaEdit" ? "edit" : "generate";
  const named = providerStore.provider(name);
  if (name !== "auto" && !named) return [];
  if (named) {
    const supported = modelOf(named, model)?.[operation];
    return supported ? [supported] : [];
  }
  const family = model === "recommended" ? "" : familyOf("", model);
  return providerStore.usableByAuto
    .map((provider) => (family ? provider.models.find((each) => each.family === family) : modelOf(provider, model)))
    .map((found) => found?.[operation])
    .filter((each) => each !== null && each !== undefined);
}

/**
 * @param {Comfy.Node} node @param {string} name @param {string[] | undefined} possible In any order; undefined = everything.
 * @param {boolean} [more] Whether values that the schema doesn't have are offered too.
 */
function restrictOptions(node, name, possible, more = false) {
  const widget = widgetOf(node, name);
  if (!widget?.options) return;
  const every = schemaValues(node, name);
  const values = possible === undefined ? every : more ? [...new Set(possible)] : every.filter((v) => possible.includes(v));
  setOptionValues(widget, values);
  // A promoted widget has choices of its own; a primitive's are for everything that it feeds.
  const { widget: shown, from } = governing(node, name);
  if (shown && from === "subgraph") setOptionValues(shown, values);
}

/** @param {Comfy.Widget} widget @param {string[]} values */
function setOptionValues(widget, values) {
  const options = /** @type {{ values?: unknown }} */ (widget.options);
  const now = options.values;
  if (Array.isArray(now) && now.length === values.length && now.every((value, index) => value === values[index])) return;
  options.values = [...values];
}

/** All choices of a combo, empty for other widgets. @param {Comfy.Node} node @param {string} name @returns {string[]} */
export function schemaValues(node, name) {
  const widget = widgetOf(node, name);
  if (!widget) return [];
  const known = schemaValuesByWidget.get(widget);
  if (known) return known;
  const values = /** @type {{ values?: unknown }} */ (widget.options ?? {}).values;
  const list = Array.isArray(values) ? values.map(String) : [];
  schemaValuesByWidget.set(widget, list);
  return list;
}

/** @param {string[][]} lists */
const union = (lists) => [...new Set(lists.flat())];
