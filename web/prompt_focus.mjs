/** Puts the cursor where a person goes on writing. */
import { isVue } from "./canvas_events.mjs";
import { widgetOf } from "./graph.mjs";

/** So many frames are waited for at most. */
const MOST_FRAMES = 240;

/**
 * Gives the focus to the prompt of a node, once the host has drawn it and dialogs of ours, which have the focus, are closed.
 * @param {Comfy.Node} node
 */
export async function focusPrompt(node) {
  for (let frame = 0; frame < MOST_FRAMES; frame += 1) {
    const field = document.querySelector(".nb-dialog") ? undefined : promptField(node);
    field?.focus({ preventScroll: true });
    if (field && document.activeElement === field) return;
    await new Promise((resolve) => requestAnimationFrame(resolve));
  }
}

/** @param {Comfy.Node} node @returns {HTMLElement | null | undefined} */
function promptField(node) {
  if (isVue()) return document.querySelector(`.lg-node[data-node-id="${CSS.escape(String(node.id))}"] textarea`);
  return /** @type {{ element?: HTMLElement } | undefined} */ (widgetOf(node, "prompt"))?.element;
}
