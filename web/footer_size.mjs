/** The widget that holds a footer, and the room that it takes on the node. */
import { foldAdvanced } from "./advanced_widgets.mjs";
import { addClassicLayout } from "./classic_layout.mjs";
import { FOOTER } from "./graph.mjs";

const MARGIN = 6;
const ROW = 30;

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
  const update = addClassicLayout(node, () => `${height}${fold.state()}`, fold.update);
  update();
  new ResizeObserver(() => {
    height = Math.ceil(inner.getBoundingClientRect().height / scaleOf(inner)) || ROW;
    update(); // also where the renderer was changed
    node.graph?.setDirtyCanvas?.(true, true);
  }).observe(inner);
}

/** How much the canvas's zoom scales an element. @param {HTMLElement} element */
function scaleOf(element) {
  return element.offsetHeight ? element.getBoundingClientRect().height / element.offsetHeight : 1;
}
