/** Drags a result onto the canvas: onto an edit as a reference, onto a Load Image node as its picture, else as a new node. */
import { app } from "/scripts/app.js";
import { pictureUrl, errorText } from "../server.mjs";
import { toast } from "../toast.mjs";
import { t } from "../i18n.mjs";
import { fileName } from "./facts.mjs";
import { insertPicture, isEdit, nodeAt, showInLoadImage, useAsReference } from "./canvas.mjs";

/** @typedef {import("../server.mjs").Result} Result */

const TYPE = "application/x-nano-banana-result";
const NOT_THE_CANVAS = ".nb-results, dialog, .side-bar-panel, .sidebar-content-container";

/** What is dragged: the data of a drag can't be read before it is dropped. @type {Result | null} */
let dragged = null;

/** @param {HTMLElement} element @param {Result} result */
export function makeDraggable(element, result) {
  element.addEventListener("dragstart", (event) => {
    dragged = result;
    if (!event.dataTransfer) return;
    event.dataTransfer.effectAllowed = "copy";
    event.dataTransfer.setData(TYPE, result.id);
    // Dropped on the desktop it is the provider's own file.
    event.dataTransfer.setData("DownloadURL", `image/${result.format}:${fileName(result)}:${new URL(pictureUrl(result.id), location.href)}`);
  });
  element.addEventListener("dragend", () => (dragged = null));
}

/** Listens for drops before the frontend does, which would load the workflow that it looks for in the file. */
export function followDrops() {
  window.addEventListener("dragover", (event) => {
    if (!isOurs(event)) return;
    event.preventDefault();
    if (event.dataTransfer) event.dataTransfer.dropEffect = "copy";
  }, true);
  window.addEventListener("drop", (event) => {
    if (!isOurs(event) || !dragged) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const result = dragged;
    dragged = null;
    drop(result, event).catch((error) => toast("error", t("results.insert"), errorText(error)));
  }, true);
}

/** @param {DragEvent} event */
function isOurs(event) {
  const { target } = event;
  return Boolean(event.dataTransfer?.types.includes(TYPE) && target instanceof Element && !target.closest(NOT_THE_CANVAS));
}

/** @param {Result} result @param {DragEvent} event */
async function drop(result, event) {
  const [x, y] = /** @type {any} */ (app.canvas).convertEventToCanvasOffset(event);
  const node = nodeAt([x, y]);
  if (isEdit(node)) await useAsReference(result, node);
  else if (node?.comfyClass === "LoadImage") await showInLoadImage(result, node);
  else await insertPicture(result, [x, y]);
}
