/** A dialog above everything, with the browser's own focus trap and Escape; in the colours of the theme. */
import { button, el, stopKeyPropagation } from "./dom.mjs";
import { t } from "./i18n.mjs";

let count = 0;

/**
 * @param {string} title
 * @param {{ class?: string, onclose?: () => void }} [facts]
 */
export function openDialog(title, facts = {}) {
  const body = el("div", { class: "nb-dialog-body" });
  const heading = `nb-dialog-${(count += 1)}`;
  /** @type {HTMLDialogElement} */
  const root = el(
    "dialog",
    { class: `nb-dialog ${facts.class ?? ""}`, "aria-labelledby": heading },
    el(
      "header",
      {},
      el("h2", { id: heading }, title),
      button("✕", () => root.close(), { class: "nb-close", "aria-label": t("close") }),
    ),
    body,
  );
  stopKeyPropagation(root);
  // The frontend listens to Escape, too, and takes it away; and what had the focus may just have been redrawn.
  const escape = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Escape" || [...document.querySelectorAll(".nb-dialog[open]")].at(-1) !== root) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    root.close();
  };
  window.addEventListener("keydown", escape, true);
  root.addEventListener("close", () => {
    window.removeEventListener("keydown", escape, true);
    root.remove();
    facts.onclose?.();
  });
  root.addEventListener("click", (event) => {
    if (event.target === root) root.close(); // the backdrop
  });
  document.body.append(root);
  root.showModal();
  return { root, body, close: () => root.close() };
}

/** Asks a question with two answers. @param {string} question @param {string} yes @returns {Promise<boolean>} */
export function confirmDialog(question, yes) {
  return new Promise((answer) => {
    let agreed = false;
    const dialog = openDialog(t("sure"), { class: "nb-narrow", onclose: () => answer(agreed) });
    dialog.body.append(
      el("p", {}, question),
      el(
        "div",
        { class: "nb-actions nb-end" },
        button(t("cancel"), () => dialog.close()),
        button(
          yes,
          () => {
            agreed = true;
            dialog.close();
          },
          { class: "nb-danger" },
        ),
      ),
    );
  });
}
