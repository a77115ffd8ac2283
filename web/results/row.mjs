/** A result as a row: its picture small, its facts whole, its buttons. */
import { el } from "../dom.mjs";
import { pictureUrl } from "../server.mjs";
import { t } from "../i18n.mjs";
import { localizedText } from "../server_messages.mjs";
import { chooseButton } from "./choice.mjs";
import { makeDraggable } from "./drag.mjs";
import { maskedLabel } from "./masked.mjs";
import { star } from "./star.mjs";
import { costLine, costMeaning, modelLine, moneyMayBeLost, openName, stateOf } from "./facts.mjs";

/** @typedef {import("../server.mjs").Result} Result */

export const ROW_HEIGHT = 146;
/** Longest side of the small pictures, in pixels. */
export const THUMBNAIL = 256;

/** Where the panel is too narrow for a line, the rest of it is read by pointing at it. @param {string} text @param {string} [meaning] */
const line = (text, meaning = "") => el("p", { class: "nb-quiet nb-line", title: [text, meaning].filter(Boolean).join("\n") }, text);

/**
 * @param {Result} result @param {HTMLElement[]} buttons
 * @param {{ open: () => void, choose: () => void, toggleFavourite: () => unknown }} handlers
 */
export function resultRow(result, buttons, { open, choose, toggleFavourite }) {
  const [state, tone] = stateOf(result);
  return el(
    "article",
    { class: "nb-result", "data-tone": tone, "data-id": result.id },
    thumbnail(result, open),
    result.picture ? star(result, toggleFavourite) : null,
    result.picture ? chooseButton(result, choose) : null,
    maskedLabel(result),
    el(
      "div",
      { class: "nb-result-facts" },
      el("p", { class: "nb-prompt", title: result.prompt }, result.prompt),
      line(modelLine(result)),
      line(costLine(result), costMeaning(result)),
      result.role === "extra" ? el("p", { class: "nb-quiet nb-line", title: t("results.extra_title") }, t("results.extra")) : null,
      state ? el("p", { class: "nb-state", "data-tone": tone, title: moneyMayBeLost(result) ? undefined : state }, state) : null,
      result.answer ? el("p", { class: "nb-quiet nb-said" }, localizedText(result.reason)) : null,
    ),
    el("div", { class: "nb-actions nb-small" }, ...buttons),
  );
}

/**
 * The picture as a link to itself, which opens the viewer; a modifier key or the middle button opens the link as ever.
 * @param {Result} result @param {() => void} open
 */
export function thumbnail(result, open) {
  if (!result.picture) return el("div", { class: "nb-thumbnail" }, el("span", { class: "nb-no-picture" }, result.running ? "…" : "?"));
  const image = el("img", { src: pictureUrl(result.id, THUMBNAIL), alt: result.prompt, loading: "lazy", decoding: "async", draggable: "false" });
  const facts = { class: "nb-thumbnail", href: pictureUrl(result.id), target: "_blank", rel: "noopener", draggable: "true", "aria-label": openName(result) };
  const link = el("a", facts, image);
  makeDraggable(link, result);
  link.addEventListener("click", (event) => {
    event.stopPropagation();
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    open();
  });
  return link;
}
