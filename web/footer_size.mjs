/** The widget that holds a footer, and the room that it takes on the node. */
import { foldAdvanced } from "./advanced_widgets.mjs";
import { addClassicLayout } from "./classic_layout.mjs";
import { FOOTER, widgetOf } from "./graph.mjs";
import { addVueLayout } from "./vue_layout.mjs";

/** The class of the element that the host is given. */
export const FRAME = "nb-footer-frame";
const MARGIN = 6;
const ROW = 30;
/** Notes that scroll are at least so high. */
const NOTES_LEAST = 44;

/**
 * Adds the widget to a node.
 * @param {Comfy.Node} node @param {HTMLElement} root The widget's element. @param {HTMLElement} inner As high as what is shown.
 */
export function addFooterWidget(node, root, inner) {
  let height = ROW;
  const fold = foldAdvanced(node, () => update());
  inner.prepend(fold.row);
  const widget = node.addDOMWidget(FOOTER, "nano_banana_footer", root, {
    serialize: false,
    hideOnZoom: false,
    margin: MARGIN,
    getValue: () => "",
    setValue: () => {},
    getMinHeight: () => height + 2 * MARGIN,
    getMaxHeight: () => height + 2 * MARGIN,
  });
  widget.serialize = false;
  keepNodeWidth(widget);
  const measure = () => {
    height = Math.ceil(inner.getBoundingClientRect().height / scaleOf(inner)) || ROW;
  };
  const update = addClassicLayout(node, { state: () => `${height}${fold.state()}`, fold: fold.update, ...notesRoom(inner, () => height, measure) });
  update();
  const updateVue = addVueLayout(node, inner);
  new ResizeObserver(() => {
    measure();
    update(); // also where the renderer was changed
    updateVue();
    node.graph?.setDirtyCanvas?.(true, true);
  }).observe(inner);
}

/**
 * Keeps a widget as wide as its node: the host's side panel gives those that it shows its own width, on a classic node, too.
 * @param {object} widget
 */
export function keepNodeWidth(widget) {
  Object.defineProperty(widget, "width", { configurable: true, get: () => undefined, set: () => {} });
}

/**
 * Puts a node's footer where that of the node before stands: after an undo Nodes 2.0 shows the new node of the same id with the
 * elements of the old one, whose prices and notes nobody follows any more.
 * @param {Comfy.Node} node
 */
export function mountAgain(node) {
  const root = /** @type {HTMLElement | undefined} */ (/** @type {any} */ (widgetOf(node, FOOTER))?.element);
  const shown = document.querySelector(`.lg-node[data-node-id="${CSS.escape(String(node.id))}"] .${FRAME}`);
  if (root && shown && shown !== root && !root.isConnected) shown.replaceWith(root);
}

/**
 * How the notes of a footer give way where a node has no room for them.
 * @param {HTMLElement} inner @param {() => number} height What the widget asks for: measured later than the notes change.
 * @param {() => void} measure Measures it: the host makes a node higher that is lower than what its widgets ask for.
 */
function notesRoom(inner, height, measure) {
  const notes = () => /** @type {HTMLElement | null} */ (inner.querySelector(".nb-notes"));
  return {
    hiddenNotes: () => {
      const element = notes();
      return element && inner.offsetHeight ? inner.offsetHeight + element.scrollHeight - element.clientHeight - height() : 0;
    },
    /** @param {number} missing */
    limitNotes: (missing) => {
      const element = notes();
      const less = Math.min(missing, Math.max(0, (element?.scrollHeight ?? 0) - NOTES_LEAST));
      const limit = element && less ? `${element.scrollHeight - less}px` : "";
      if (element && element.style.maxHeight !== limit) {
        element.style.maxHeight = limit;
        measure();
      }
      return less;
    },
  };
}

/** How much the canvas's zoom scales an element. @param {HTMLElement} element */
function scaleOf(element) {
  return element.offsetHeight ? element.getBoundingClientRect().height / element.offsetHeight : 1;
}
