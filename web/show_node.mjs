/** Brings a node into sight, large enough that its texts can be read. */
import { app } from "/scripts/app.js";

/** Screen pixels per unit of the canvas below which the text of a prompt is too small to read and to write. */
const READABLE = 0.85;
/** The part of the window that a node may take. */
const MOST_OF_WINDOW = 0.9;
/** Pixels for the host's tabs and the node's title. */
const ABOVE = 72;

/** @param {any} node */
export function showNode(node) {
  const { canvas } = /** @type {any} */ (app);
  const { ds, canvas: element } = canvas ?? {};
  if (!ds?.changeScale) {
    canvas?.centerOnNode?.(node);
    return;
  }
  const [width, height] = node.size;
  const whole = MOST_OF_WINDOW * Math.min(element.clientWidth / width, element.clientHeight / height);
  if (ds.scale < READABLE) ds.changeScale(Math.max(READABLE, Math.min(1, whole)));
  canvas.centerOnNode(node);
  // Of a node that is higher than the window the upper part is in sight, with the prompt.
  ds.offset[1] = Math.max(ds.offset[1], ABOVE / ds.scale - node.pos[1]);
  canvas.setDirty(true, true);
}
