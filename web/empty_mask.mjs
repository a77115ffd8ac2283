/** What can be done about a mask in which nothing is painted: paint it where it is loaded, or edit without it. */
import { app } from "/scripts/app.js";
import { slotOf, sourceOf, valueOf } from "./graph.mjs";
import { t } from "./i18n.mjs";

/** @typedef {import("./dom.mjs").Action} Action */

const MASK_EDITOR = "Comfy.MaskEditor.OpenMaskEditor";
/** The host hands a node its picture a moment after it is selected; so often, and so many milliseconds apart, it is looked for. */
const [LOOKS, BETWEEN] = [60, 50];

/** The mask of a node, by what gives it and the file in that; "" where none is connected. @param {Comfy.Node} node */
export function maskOf(node) {
  const source = sourceOf(node, "mask");
  return source ? `${source.node.id} ${source.slot} ${valueOf(source.node, "image") ?? ""}` : "";
}

/** @param {Comfy.Node} node An edit. @returns {Action[]} */
export function maskActions(node) {
  const source = sourceOf(node, "mask")?.node;
  /** @type {Action[]} */
  const actions = [];
  if (source?.comfyClass === "LoadImage" && source.graph === node.graph && hasMaskEditor()) {
    actions.push({ text: t("mask.paint"), title: t("mask.paint_title", { node: String(source.title) }), work: () => openMaskEditor(source) });
  }
  if (source) actions.push({ text: t("mask.disconnect"), title: t("mask.disconnect_title"), work: () => disconnectMask(node) });
  return actions;
}

const hasMaskEditor = () => /** @type {any} */ (app.extensionManager).command?.commands?.some?.((/** @type {{ id: string }} */ each) => each.id === MASK_EDITOR) ?? false;

/** Opens the host's editor on the picture of a LoadImage. @param {any} node */
async function openMaskEditor(node) {
  const canvas = /** @type {any} */ (app.canvas);
  canvas.deselectAll?.();
  canvas.selectNode(node);
  for (let looks = 0; looks < LOOKS && !node.imgs?.length; looks += 1) await new Promise((go) => window.setTimeout(go, BETWEEN));
  await /** @type {any} */ (app.extensionManager).command.execute(MASK_EDITOR);
}

/** @param {any} node */
function disconnectMask(node) {
  node.disconnectInput(slotOf(node, "mask"));
  app.canvas?.setDirty?.(true, true);
}
