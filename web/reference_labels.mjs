/**
 * Names the sockets of reference images in the chosen language. The frontend makes their labels of their ids and looks no name
 * up for them. What is saved and copied has the frontend's own labels, as in English.
 */
import { t, translated } from "./i18n.mjs";
import { isReference } from "./sockets.mjs";

/** @param {{ name: string }} input */
const idOf = (input) => input.name.slice(input.name.indexOf(".") + 1);

/** @param {{ name: string }} input */
const labelOf = (input) => t("socket.image", { number: idOf(input).slice(idOf(input).indexOf("_") + 1) });

/** Follows the reference sockets of a new node, also those that come with a link or with a saved graph. @param {Comfy.Node} node */
export function translateReferences(node) {
  if (!translated()) return;
  const translate = () => {
    for (const input of (node.inputs ?? []).filter((each) => isReference(each.name)))
      if (!input.label || input.label === idOf(input)) input.label = labelOf(input); // else it is the user's own
  };
  translate();
  const changed = node.onConnectionsChange;
  node.onConnectionsChange = function (...given) {
    changed?.apply(this, given);
    translate();
  };
  const configure = node.configure;
  node.configure = function (saved) {
    configure.call(this, saved);
    translate();
  };
  const serialized = node.onSerialize;
  node.onSerialize = function (saved) {
    serialized?.call(this, saved);
    for (const input of saved.inputs ?? []) if (isReference(input.name) && input.label === labelOf(input)) input.label = idOf(input);
  };
}
