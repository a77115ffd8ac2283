/** Hands the events of an element on a node to the canvas, and says which renderer draws it. */
import { app } from "/scripts/app.js";
import { hostSetting } from "./host_settings.mjs";

/**
 * The footer is a part of the canvas: the wheel zooms over it and shortcuts work from it. Only what presses a button, and a
 * note that has more to show, is its own.
 * @param {HTMLElement} root
 */
export function forwardCanvasEvents(root) {
  for (const name of /** @type {const} */ (["keydown", "keyup"])) {
    root.addEventListener(name, (event) => {
      const modified = event.ctrlKey || event.metaKey || event.altKey;
      if (!modified && (event.key === "Enter" || event.key === " ")) event.stopPropagation();
    });
  }
  root.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && scrolls(event.target)) event.stopPropagation();
    else if (!isVue()) {
      event.preventDefault();
      app.canvas.processMouseWheel(event); // Nodes 2.0 listen themselves
    }
  });
  return root;
}

/** Whether what is under the pointer is a note, or notes, with more to show. @param {EventTarget | null} target */
function scrolls(target) {
  if (!(target instanceof Element)) return false;
  return [target.closest(".nb-note"), target.closest(".nb-notes")].some((each) => each && each.scrollHeight > each.clientHeight);
}

/** Whether Nodes 2.0 draws the nodes, and not the classic canvas. */
export const isVue = () => Boolean(hostSetting("Comfy.VueNodes.Enabled"));
