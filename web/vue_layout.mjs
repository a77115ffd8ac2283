/**
 * Keeps the prompt's height in Nodes 2.0 while notes and pictures come and go below it. The host would stretch the prompt and the
 * footer over the room that is left, so that each note moved every row, away from the ends of the wires. Here the widgets take
 * what they need (`style.css`), the prompt's height follows from the height that the node was given, and the picture has the rest.
 */

import { isAdvanced } from "./advanced_widgets.mjs";
import { widgetsOfPrompt } from "./graph.mjs";

const PROMPT = { least: 72, share: 0.4 };
const ROW = 28;
const FOOTER_ROWS = 60;

/** @param {Comfy.Node} node @param {HTMLElement} inner Its footer. @returns {() => void} To be called when the footer's size changes. */
export function addVueLayout(node, inner) {
  /** @type {HTMLElement | null} */
  let grid = null;
  /** The prompt's element that has its height: the host may draw it later than the rest, and anew. @type {HTMLTextAreaElement | null} */
  let fitted = null;
  const element = () => /** @type {HTMLElement | null} */ (inner.closest(".lg-node"));
  const fit = () => {
    const [frame, prompt] = [element(), grid?.querySelector("textarea") ?? null];
    if (!frame || !grid || !prompt) return;
    // The footer has no such row, and what changes the seed is in the row of the seed.
    const rows = widgetsOfPrompt(node).filter((each) => !isAdvanced(each) && !isOffNode(each) && each.name !== "prompt");
    const room = givenHeight(frame) - above(frame, grid) - rows.length * ROW - FOOTER_ROWS;
    prompt.style.height = `${Math.floor(Math.max(PROMPT.least, room * PROMPT.share))}px`;
    fitted = prompt;
  };
  const observer = new ResizeObserver(() => requestAnimationFrame(fit));
  const drawn = new MutationObserver(() => {
    if (grid?.querySelector("textarea") !== fitted) fit();
  });

  const serialized = node.onSerialize;
  node.onSerialize = function (saved) {
    serialized?.call(this, saved);
    const frame = grid?.isConnected ? element() : null;
    if (frame && !node.flags?.collapsed) saved.size = [saved.size[0], Math.min(saved.size[1], givenHeight(frame) - titleHeight())];
  };

  return () => {
    /** @type {HTMLElement | null} */
    const found = inner.closest(".lg-node-widgets");
    const frame = element();
    if (!found || !frame || found === grid) return;
    grid = found;
    observer.disconnect();
    observer.observe(frame);
    drawn.disconnect();
    drawn.observe(grid, { childList: true, subtree: true });
  };
}

/** The height that a person or the workflow has given a node, with its title; what it shows may need more. @param {HTMLElement} frame */
const givenHeight = (frame) => Number.parseFloat(frame.style.getPropertyValue("--node-height")) || frame.offsetHeight;

const titleHeight = () => Number(/** @type {any} */ (window).LiteGraph?.NODE_TITLE_HEIGHT ?? 30);

/** The height of the title and the sockets. @param {HTMLElement} frame @param {HTMLElement} grid */
function above(frame, grid) {
  const [whole, rows] = [frame.getBoundingClientRect(), grid.getBoundingClientRect()];
  return ((rows.top - whole.top) * frame.offsetWidth) / (whole.width || 1);
}

/** Whether Nodes 2.0 don't draw a widget. @param {Comfy.Widget} widget */
const isOffNode = ({ hidden, options }) => Boolean(hidden || /** @type {any} */ (options)?.canvasOnly);
