/**
 * Widgets whose values below 0 are not sent say so in the classic canvas, instead of -1.00. Nodes 2.0 write numbers as they are.
 */
import { isImageNode, widgetOf } from "./graph.mjs";
import { t } from "./i18n.mjs";

const NAMES = ["temperature", "top_p"];
const TEXT = "_displayValue";

/** @param {Comfy.Node} node That was just made. */
export function nameOwnValues(node) {
  if (!isImageNode(node)) return;
  for (const name of NAMES) {
    const widget = widgetOf(node, name);
    if (!widget || !(TEXT in widget)) continue;
    const prototype = Object.getPrototypeOf(widget);
    Object.defineProperty(widget, TEXT, {
      configurable: true,
      get: () => {
        const text = Reflect.get(prototype, TEXT, widget); // empty where another node gives the value
        return text && Number(widget.value) < 0 ? t("value.own") : text;
      },
    });
  }
}
