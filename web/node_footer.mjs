/**
 * What the pack shows below a node's own widgets: the price, a new variation, and what a person has to know or decide.
 * An element of its own in both renderers; it is neither saved with the workflow nor sent with the prompt.
 */
import { button, el } from "./dom.mjs";
import { forwardCanvasEvents } from "./canvas_events.mjs";
import { footerActions } from "./footer_actions.mjs";
import { addFooterWidget } from "./footer_size.mjs";
import { isImageNode, valueOf } from "./graph.mjs";
import { notesFor } from "./node_notes.mjs";
import { priceText } from "./price_text.mjs";
import { numberedReferences, referencesList, referencesText } from "./references.mjs";
import { money, t } from "./i18n.mjs";

/** @typedef {import("./node_notes.mjs").Note} Note */
/**
 * @typedef {{ root: HTMLElement, price: HTMLElement | null, pictures: HTMLElement, picturesShown: string,
 *   notes: HTMLElement, shown: string,
 *   estimate: import("./server.mjs").Estimate | null, last: Note | null }} Footer
 */

/** @type {WeakMap<Comfy.Node, Footer>} */
const footers = new WeakMap();

/** @param {Comfy.Node} node */
export const footerOf = (node) => footers.get(node);

/** Adds the footer to a node that was just made. @param {Comfy.Node} node */
export function addFooter(node) {
  const notes = el("div", { class: "nb-notes", role: "status" });
  const pictures = el("div", { class: "nb-pictures" });
  const maker = isImageNode(node);
  const price = maker ? button("…", () => footerActions.showPrices(node), { class: "nb-price", title: t("price.title") }) : null;
  const inner = el(
    "div",
    { class: "nb-footer" },
    el(
      "div",
      { class: "nb-row" },
      price,
      el("span", { class: "nb-space" }),
      maker
        ? button(t("variation.button"), () => footerActions.newVariation(node), { title: t("variation.title") })
        : button(t("keys.button"), () => footerActions.openSettings(String(valueOf(node, "provider") ?? "")), {
            title: t("keys.title"),
          }),
    ),
    pictures,
    notes,
  );
  const root = forwardCanvasEvents(el("div", { class: "nb-footer-frame" }, inner));
  footers.set(node, { root, price, pictures, picturesShown: "", notes, shown: "", estimate: null, last: null });
  addFooterWidget(node, root, inner);
}

/** @param {Comfy.Node} node @param {import("./server.mjs").Estimate | null} estimate @param {string} [why] There is none. */
export function showEstimate(node, estimate, why) {
  const footer = footers.get(node);
  if (!footer) return;
  footer.estimate = estimate;
  if (footer.price) {
    const [text, tone] = why ? [t("price.unknown"), "plain"] : priceText(node, estimate);
    footer.price.textContent = text;
    const unknown = estimate && !estimate.problem && estimate.usd_each === null;
    footer.price.title = why ?? (unknown ? t("price.counts", { usd: money(estimate.usd_counted) }) : t("price.title"));
    footer.price.dataset["tone"] = tone;
  }
  draw(node, footer);
}

/** What came of the last run; null takes it away. @param {Comfy.Node} node @param {Note | null} note */
export function showRunNote(node, note) {
  const footer = footers.get(node);
  if (!footer) return;
  footer.last = note;
  draw(node, footer);
}

/** Draws a footer again, after the providers have changed. @param {Comfy.Node} node */
export function redraw(node) {
  const footer = footers.get(node);
  if (footer) draw(node, footer);
}

/** @param {Comfy.Node} node @param {Footer} footer */
function draw(node, footer) {
  drawPictures(node, footer);
  const notes = notesFor(node, { ...footer, redraw: () => redraw(node) });
  const key = JSON.stringify(notes.map((note) => [note.text, note.tone, note.actions?.map((action) => action.text)]));
  if (key === footer.shown) return;
  footer.shown = key;
  footer.notes.replaceChildren(
    ...notes.map((note) =>
      el(
        "div",
        { class: "nb-note", "data-tone": note.tone },
        el("span", {}, note.text),
        note.form?.(),
        note.actions?.length
          ? el("div", { class: "nb-actions" }, ...note.actions.map((action) => button(action.text, action.work, { title: action.title })))
          : null,
      ),
    ),
  );
}

/** Which picture has which number. @param {Comfy.Node} node @param {Footer} footer */
function drawPictures(node, footer) {
  const references = numberedReferences(node);
  const text = referencesText(references);
  if (text === footer.picturesShown) return;
  footer.picturesShown = text;
  footer.pictures.replaceChildren(...referencesList(references, footer.pictures.querySelector("details")?.open ?? false));
}

