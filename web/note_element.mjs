/** Draws a note of a node: title and pill, text, buttons, and what is folded. */
import { actionButton, el } from "./dom.mjs";
import { t } from "./i18n.mjs";

/** @typedef {import("./node_notes.mjs").Note} Note */

/** What a note shows: two notes with the same key look alike. @param {Note} note */
export const noteKey = ({ text, tone, title, pill, details, actions }) => [text, tone, title, pill, details, actions?.map((each) => each.text)];

/** @param {Note} note */
export function noteElement({ text, tone, title, pill, details, form, actions }) {
  return el(
    "div",
    { class: "nb-note", "data-tone": tone },
    title && el("div", { class: "nb-note-title", title }, title),
    pill && pillElement(pill),
    text && el("span", { class: "nb-note-text" }, text),
    form?.(),
    actions?.length ? el("div", { class: "nb-actions" }, ...actions.map(actionButton)) : null,
    details &&
      el("details", {}, el("summary", {}, details.summary), ...details.lines.map((line) => el("p", { class: "nb-note-line" }, line))),
  );
}

/** @param {NonNullable<Note["pill"]>} pill */
function pillElement({ text, title, tone }) {
  const explained = title ? { title, role: "note", "aria-label": t("labelled", { label: text, value: title }) } : {};
  return el("span", { class: "nb-pill", "data-tone": tone, ...explained }, text);
}
