/**
 * Folds a node's advanced widgets in the classic canvas, as Nodes 2.0 do by themselves. A folded widget keeps its value, its
 * place in the workflow and its input; one that a link feeds stays in sight. The choice is saved in the node's properties.
 */
import { button } from "./dom.mjs";
import { isVue } from "./canvas_events.mjs";
import { asOneUndoStep, hasLink } from "./graph.mjs";
import { hostSetting } from "./host_settings.mjs";
import { t } from "./i18n.mjs";
import { giveRoomBack, makeRoomBelow } from "./room_below.mjs";

const PROPERTY = "show_more_settings";

/**
 * @typedef {{ row: HTMLButtonElement, update: () => void, state: () => string }} Fold The button that opens and closes, which
 *   hides where there is nothing to fold; `state` differs whenever `update` has something to do.
 */

/** @param {Comfy.Widget} widget */
export const isAdvanced = (widget) => Boolean(/** @type {any} */ (widget.options)?.advanced);

/** @param {Comfy.Node} node That was just made. @param {() => void} changed Called after a press. @returns {Fold} */
export function foldAdvanced(node, changed) {
  const advanced = (node.widgets ?? []).filter(isAdvanced);
  const defaults = new Map(advanced.map((widget) => [widget, widget.value]));
  const asked = () => node.properties?.[PROPERTY] === true;
  const always = () => Boolean(hostSetting("Comfy.Node.AlwaysShowAdvancedWidgets"));
  /** @param {Comfy.Widget} widget */
  const isLinked = (widget) =>
    (node.inputs ?? []).some((input) => input.widget?.name === widget.name && hasLink(input));
  const folded = () => (isVue() || asked() || always() ? [] : advanced.filter((widget) => !isLinked(widget)));
  /** @param {Comfy.Widget[]} hidden */
  const text = (hidden) => {
    if (asked()) return t("more.hide");
    const different = hidden.filter((widget) => widget.value !== defaults.get(widget)).length;
    return t(different ? "more.changed" : "more.show", { n: hidden.length, changed: different });
  };
  const toggle = () => {
    asOneUndoStep(() => {
      const before = node.size[1];
      if (asked()) delete node.properties[PROPERTY];
      else node.properties[PROPERTY] = true;
      changed();
      if (asked()) makeRoomBelow(node, before);
      else giveRoomBack(node);
    });
  };
  const row = button("", toggle, { class: "nb-more" });
  const update = () => {
    const hidden = folded();
    for (const widget of advanced) {
      const hide = hidden.includes(widget);
      if (Boolean(widget.hidden) !== hide) widget.hidden = hide;
    }
    row.hidden = isVue() || always() || (!hidden.length && !asked());
    row.textContent = text(hidden);
    row.setAttribute("aria-expanded", String(asked()));
  };
  const state = () => {
    const hidden = folded();
    return `${isVue()}${always()}${text(hidden)}${hidden.length}`;
  };
  return { row, update, state };
}
