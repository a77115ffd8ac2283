/** What can be done with a result: the same in a row, on a tile and in the viewer. */
import { actionButton, button } from "../dom.mjs";
import { confirmDialog } from "../dialog.mjs";
import { copyText } from "../clipboard.mjs";
import { focusPrompt } from "../prompt_focus.mjs";
import { ask, pictureUrl } from "../server.mjs";
import { toast } from "../toast.mjs";
import { unresolvedActions } from "../unresolved.mjs";
import { t } from "../i18n.mjs";
import { editPicture } from "./edit_picture.mjs";
import { goOnFrom, insertPicture, openWorkflow, useAsReference } from "./canvas.mjs";
import { actionName, fileName } from "./facts.mjs";
import { recordedPart, runOnly } from "./pay_again.mjs";

/** @typedef {import("../server.mjs").Result} Result */
/**
 * @typedef {object} Handlers What the gallery does itself.
 * @property {(id: string) => unknown} recover
 * @property {(id: string) => unknown} read
 * @property {(id: string) => unknown} forgotten Called once it is forgotten.
 * @property {(result: Result) => unknown} toggleFavourite
 * @property {(result: Result) => unknown} choose For a comparison.
 * @property {(id: string) => unknown} changed Called once something about it has changed.
 * @property {() => unknown} onCanvas Called once something of it is on the canvas.
 */

/**
 * The buttons of a result.
 * @param {Result} result @param {Handlers} handlers @param {"row" | "whole"} [room] A row takes the most used ones only.
 * @returns {HTMLElement[]}
 */
export function actionsOf(result, handlers, room = "row") {
  /** @type {HTMLElement[]} */
  const found = [];
  /** @template T @param {Promise<T>} work */
  const onCanvas = async (work) => {
    const done = await work;
    handlers.onCanvas();
    return done;
  };
  /** @param {string} name @param {() => unknown} work @param {string} [style] */
  const add = (name, work, style = "") =>
    found.push(
      button(t(`results.${name}`), work, { class: style, title: t(`results.${name}_title`) }),
    );
  if (result.order) add("cancel_order", () => cancelOrder(result, handlers), "nb-danger");
  if (result.recoverable) add("recover_one", () => handlers.recover(result.id), "nb-main");
  if (result.answer) add("read", () => handlers.read(result.id), "nb-main");
  if (result.in_doubt) found.push(...inDoubt(result, handlers));
  const whole = result.picture && room === "whole";
  if (whole) add(result.favourite ? "unfavourite" : "favourite", () => handlers.toggleFavourite(result));
  if (whole) add("reference", () => onCanvas(useAsReference(result)), "nb-main");
  if (whole && result.conversation) add("continue", () => onCanvas(goOnFrom(result)));
  else if (whole) add("edit", async () => focusPrompt(await onCanvas(editPicture(result))));
  add("graph", () => onCanvas(openWorkflow(result)));
  if (result.picture) add("insert", () => onCanvas(insertPicture(result)));
  if (whole) add("save", () => save(result));
  if (whole) add("compare", () => handlers.choose(result));
  add("copy", () => copyText(result.prompt));
  if (!result.running) add("forget", () => forget(result, handlers), "nb-danger");
  // In a dialog of its own the picture is named by the dialog.
  if (room === "row") for (const each of found) each.setAttribute("aria-label", actionName(String(each.textContent), result));
  return found;
}

/** What can be done where nobody knows whether it was charged. @param {Result} result @param {Handlers} handlers */
function inDoubt(result, handlers) {
  const actions = unresolvedActions({
    ids: [result.id],
    provider: result.provider,
    usd: result.usd,
    partOf: () => recordedPart(result.id),
    payAgain: async (part) => {
      await openWorkflow(result);
      return runOnly(part);
    },
    askedAgain: result.asked_again,
    hasAnswer: Boolean(result.answer),
    withdrawn: () => handlers.changed(result.id),
  });
  return actions.map(actionButton);
}

/** Saves the provider's own bytes, with the provenance data in them. @param {Result} result */
function save(result) {
  const link = document.createElement("a");
  link.href = pictureUrl(result.id);
  link.download = fileName(result);
  document.body.append(link);
  link.click();
  link.remove();
}

/** @param {Result} result @param {Handlers} handlers */
async function cancelOrder(result, handlers) {
  if (!(await confirmDialog(t("results.cancel_order_sure"), t("results.cancel_order")))) return;
  const found = await ask(`/orders/${encodeURIComponent(result.order)}/cancel`, { method: "POST" });
  toast(found.cancelled ? "success" : "info", t("results.cancel_order"), found.text);
  handlers.changed(result.id);
}

/** @param {Result} result @param {Handlers} handlers */
async function forget(result, handlers) {
  if (!(await confirmDialog(t("results.forget_sure"), t("results.forget")))) return;
  await ask(`/results/${encodeURIComponent(result.id)}`, { method: "DELETE" });
  handlers.forgotten(result.id);
}
