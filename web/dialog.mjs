/** A dialog above everything, in the colours of the theme. Enter presses its primary button, Escape closes it alone. */
import { button, el, stopKeyPropagation } from "./dom.mjs";
import { t } from "./i18n.mjs";

let count = 0;
const TABBABLE = "a[href], button, input, select, textarea, summary, [tabindex='0']";
/**
 * Events that stay in a dialog. The frontend listens on the document: a pointer that goes down outside of its own dialog
 * closes that dialog, and a focus outside of it is taken back.
 */
const OWN_EVENTS = ["pointerdown", "pointerup", "mousedown", "mouseup", "touchstart", "touchend", "click", "focusin", "focusout"];

/**
 * @param {string} title
 * @param {{ class?: string, role?: "dialog" | "alertdialog", onclose?: () => void }} [facts]
 */
export function openDialog(title, facts = {}) {
  const body = el("div", { class: "nb-dialog-body" });
  const heading = `nb-dialog-${(count += 1)}`;
  /** @type {HTMLDialogElement} */
  const root = el(
    "dialog",
    { class: `nb-dialog ${facts.class ?? ""}`, role: facts.role, "aria-labelledby": heading },
    el(
      "header",
      {},
      el("h2", { id: heading }, title),
      button("✕", () => root.close(), { class: "nb-close", "aria-label": t("close") }),
    ),
    body,
  );
  stopKeyPropagation(root);
  for (const name of OWN_EVENTS) root.addEventListener(name, (event) => event.stopPropagation());
  root.addEventListener("keydown", (event) => {
    if (event.key === "Enter") pressPrimary(event, body);
    if (event.key === "Tab") keepFocusInside(event, root);
  });
  closeOnBackdrop(root);
  // The frontend listens to Escape, too, and takes it away; and what had the focus may just have been redrawn.
  const escape = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Escape" || event.isComposing || [...document.querySelectorAll(".nb-dialog[open]")].at(-1) !== root) return;
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
  document.body.append(root);
  root.showModal();
  queueMicrotask(() => focusFirst(body)); // the caller fills the body first
  return { root, body, close: () => root.close() };
}

/**
 * Presses the primary button of the row of buttons below a dialog's fields: the marked one, else the last one.
 * @param {KeyboardEvent} event @param {HTMLElement} body
 */
function pressPrimary(event, body) {
  // A key that is held down has opened the dialog; it must not answer it.
  if (event.repeat) event.preventDefault();
  const { target } = event;
  if (!(target instanceof HTMLInputElement || target instanceof HTMLSelectElement)) return;
  if (event.defaultPrevented || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (target.form) return; // the browser submits it
  const primary = primaryButton(body);
  if (!primary) return;
  event.preventDefault();
  primary.click();
}

/** @param {HTMLElement} body @returns {HTMLButtonElement | null} */
function primaryButton(body) {
  const row = body.querySelector(":scope > .nb-end");
  return row?.querySelector(".nb-main") ?? row?.querySelector(".nb-button:last-of-type") ?? null;
}

/** Where a person begins, unless the dialog has said so: the first field, else the primary button. @param {HTMLElement} body */
function focusFirst(body) {
  if (body.contains(document.activeElement)) return;
  /** @type {HTMLElement | null} */
  const field = body.querySelector(":is(input, select, textarea):not(:disabled)");
  (field ?? primaryButton(body))?.focus();
}

/** After the last control comes the first, and not the browser's own. @param {KeyboardEvent} event @param {HTMLElement} root */
function keepFocusInside(event, root) {
  const all = /** @type {HTMLElement[]} */ ([...root.querySelectorAll(TABBABLE)]);
  const controls = all.filter((each) => !each.matches(":disabled, [tabindex='-1']") && each.getClientRects().length > 0);
  const [from, to] = event.shiftKey ? [controls[0], controls.at(-1)] : [controls.at(-1), controls[0]];
  if (event.target !== from && event.target !== root) return;
  event.preventDefault();
  to?.focus();
}

/** A press on the backdrop closes; the end of a selection that began in the dialog does not. @param {HTMLDialogElement} root */
function closeOnBackdrop(root) {
  let pressed = false;
  root.addEventListener("pointerdown", (event) => (pressed = event.target === root));
  root.addEventListener("click", (event) => {
    if (pressed && event.target === root) root.close();
  });
}

/** Asks a question with two answers. @param {string} question @param {string} yes @returns {Promise<boolean>} */
export function confirmDialog(question, yes) {
  return new Promise((answer) => {
    let agreed = false;
    const dialog = openDialog(t("sure"), { class: "nb-narrow", role: "alertdialog", onclose: () => answer(agreed) });
    const text = el("p", { id: `nb-question-${count}` }, question);
    dialog.root.setAttribute("aria-describedby", text.id);
    const agree = () => {
      agreed = true;
      dialog.close();
    };
    dialog.body.append(
      text,
      el(
        "div",
        { class: "nb-actions nb-end" },
        button(t("cancel"), () => dialog.close()),
        button(yes, agree, { class: "nb-danger" }),
      ),
    );
  });
}
