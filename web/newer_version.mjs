/**
 * Finds what a newer version of the pack saved in a node and this one doesn't know. The host leaves out inputs that it doesn't
 * know without a word: an edit of a region would become one of the whole picture, an order at half the price one at full price.
 */
import { isConfig, valueOf } from "./graph.mjs";
import { schemaValues } from "./widget_options.mjs";
import { isReference } from "./sockets.mjs";

/** @typedef {any} Saved A node as the frontend saves and copies it. */
/** @typedef {{ name: string, value: unknown, linked: boolean }} Unknown An input, and what was saved for it. */

/** What was saved in a node and isn't known here. @type {WeakMap<Comfy.Node, Unknown[]>} */
const unknown = new WeakMap();

/** Inputs that this version doesn't know. @param {Comfy.Node} node @returns {Unknown[]} */
export const unknownInputs = (node) => unknown.get(node) ?? [];

/** Choices that this version doesn't know; the host refuses them. @param {Comfy.Node} node @returns {Unknown[]} */
export function unknownChoices(node) {
  if (isConfig(node)) return []; // its choices differ from machine to machine; its note says so
  return (node.widgets ?? []).flatMap(({ name }) => {
    const known = schemaValues(node, name);
    const value = valueOf(node, name);
    const ours = node.inputs?.some((input) => input.name === name);
    return ours && known.length && typeof value === "string" && !known.includes(value) ? [{ name, value, linked: false }] : [];
  });
}

/** @param {Unknown[]} inputs @returns {string} A stranger's graph may hold any number of them, of any length. */
export const unknownText = (inputs) =>
  inputs
    .slice(0, 20)
    .map(({ name, value, linked }) => (linked ? name : `${name} = ${JSON.stringify(value).slice(0, 80)}`))
    .join(", ");

/** Prepares a node that was just made, before the frontend gives it what was saved or copied. @param {Comfy.Node} node */
export function findNewerInputs(node) {
  const configure = node.configure;
  node.configure = function (/** @type {Saved} */ saved) {
    unknown.set(node, savedUnknown(node, saved));
    configure.call(node, saved);
  };
  const serialized = node.onSerialize;
  node.onSerialize = function (saved) {
    serialized?.call(this, saved);
    keepUnknown(node, saved);
  };
}

/** A prompt was loaded as a graph, which leaves out what no node has. @param {Comfy.Node} node @param {Record<string, unknown>} inputs */
export function findNewerInputsOfPrompt(node, inputs) {
  const names = new Set([...(node.inputs ?? []), ...(node.widgets ?? [])].map((each) => each.name));
  const found = Object.entries(inputs).filter(([name]) => !names.has(name) && !isReference(name));
  unknown.set(
    node,
    found.map(([name, value]) => ({ name: name.slice(0, 60), value: value ?? null, linked: Array.isArray(value) })),
  );
}

/** Widgets whose values are saved by position. @param {Comfy.Node} node */
const positional = (node) => (node.widgets ?? []).filter((widget) => widget.serialize !== false);

/** @param {Comfy.Node} node @param {Saved} saved @returns {Unknown[]} */
function savedUnknown(node, saved) {
  const names = new Set((node.inputs ?? []).map((input) => input.name));
  /** @type {any[]} */
  const savedInputs = Array.isArray(saved.inputs) ? saved.inputs : [];
  const inputs = savedInputs.filter((input) => typeof input?.name === "string");
  /** @type {unknown[]} */
  const values = Array.isArray(saved.widgets_values) ? saved.widgets_values.slice(positional(node).length) : [];
  const found = inputs.filter((input) => !names.has(input.name) && !isReference(input.name));
  const widgets = found.filter((input) => input.widget);
  // Saved without the sockets of widgets, as once was usual: what is left over has no name.
  if (!inputs.some((input) => input.widget)) widgets.push(...values.map((_, index) => ({ name: `#${index + 1}` })));
  return [...new Set([...widgets, ...found.filter((input) => typeof input.link === "number")])].map((input) => ({
    name: String(input.name).slice(0, 60),
    value: saved.widgets_values_named?.[input.name] ?? values[widgets.indexOf(input)] ?? null,
    linked: typeof input.link === "number",
  }));
}

/** The values of unknown inputs are saved again, so that the newer version finds them. @param {Comfy.Node} node @param {Saved} saved */
function keepUnknown(node, saved) {
  if (!Array.isArray(saved.widgets_values) || !Array.isArray(saved.inputs)) return;
  const values = new Map(unknownInputs(node).map(({ name, value }) => [name, value]));
  const names = new Set(saved.inputs.map((/** @type {any} */ input) => input.name));
  for (const { name, linked } of unknownInputs(node)) {
    if (!names.has(name) && !linked && !name.startsWith("#")) saved.inputs.push({ name, type: "*", link: null, widget: { name } });
  }
  for (const { name, widget } of saved.inputs) {
    if (!widget || !values.has(name)) continue;
    saved.widgets_values.push(values.get(name));
    if (saved.widgets_values_named) saved.widgets_values_named[name] = values.get(name);
  }
}
