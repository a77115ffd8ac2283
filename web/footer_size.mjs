/** The widget that holds a footer, and the room that it takes on the node. */
import { isVue } from "./canvas_events.mjs";
import { FOOTER } from "./graph.mjs";

const MARGIN = 6;
const ROW = 30;

/**
 * Adds the widget to a node.
 * @param {Comfy.Node} node @param {HTMLElement} root The widget's element. @param {HTMLElement} inner As high as what is shown.
 */
export function addFooterWidget(node, root, inner) {
  let height = ROW;
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
  // What the notes have added to the node's height. A note comes and goes: saved with the node, its room would be added
  // again at each load.
  let added = 0;
  const serialized = node.onSerialize;
  node.onSerialize = function (saved) {
    serialized?.call(this, saved);
    if (!isVue()) saved.size = [saved.size[0], saved.size[1] - added];
  };
  const configured = node.onConfigure;
  node.onConfigure = function (saved) {
    configured?.call(this, saved);
    added = 0; // the size is the saved one
    fit();
  };
  // The classic canvas gives a node the room it has; Nodes 2.0 measures its elements itself.
  const fit = () => {
    if (isVue()) return;
    const own = node.size[1] - added;
    const whole = Math.max(own + height - ROW, node.computeSize()[1]);
    added = whole - own;
    if (whole !== node.size[1]) node.setSize([node.size[0], whole]);
  };
  new ResizeObserver(() => {
    const wanted = Math.ceil(inner.getBoundingClientRect().height / scaleOf(inner)) || ROW;
    if (wanted === height) return;
    height = wanted;
    fit();
    node.graph?.setDirtyCanvas?.(true, true);
  }).observe(inner);
}

/** How much the canvas's zoom scales an element. @param {HTMLElement} element */
function scaleOf(element) {
  return element.offsetHeight ? element.getBoundingClientRect().height / element.offsetHeight : 1;
}
