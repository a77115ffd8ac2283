/**
 * What the pack shows below a node's own widgets: the price, a new variation, and what a person has to know or decide.
 * An element of its own in both renderers; it is neither saved with the workflow nor sent with the prompt.
 */
import { button, el } from "./dom.mjs";
import { forwardCanvasEvents } from "./canvas_events.mjs";
import { footerActions } from "./footer_actions.mjs";
import { addFooterWidget, FRAME } from "./footer_size.mjs";
import { asOneUndoStep, isImageNode, setWidget, valueOf } from "./graph.mjs";
import { noteElement, noteKey } from "./note_element.mjs";
import { notesFor } from "./node_notes.mjs";
import { addPriceBadge, showPriceBadge } from "./price_badge.mjs";
import { hideHostProgress, progressLine } from "./progress_line.mjs";
import { otherDelivery, priceText, runPrice, variationPrice, whoText } from "./price_text.mjs";
import { numberedReferences, referencesList, referencesText } from "./references.mjs";
import { money, t } from "./i18n.mjs";

/** @typedef {import("./node_notes.mjs").Note} Note */
/**
 * @typedef {{ who: HTMLElement, price: HTMLElement, choice: HTMLElement, delivery: HTMLElement, variation: HTMLElement }} Run What a
 *   node that makes pictures has: the line with what will be used, which opens the picker, and the buttons for the other delivery
 *   and for a new variation.
 * @typedef {{ run: Run | null, pictures: HTMLElement, picturesShown: string, progress: HTMLElement, notes: HTMLElement, shown: string,
 *   earlier: HTMLElement,
 *   estimate: import("./server.mjs").Estimate | null, last: Note[] }} Footer
 */

/** @type {WeakMap<Comfy.Node, Footer>} */
const footers = new WeakMap();

/** @param {Comfy.Node} node */
export const footerOf = (node) => footers.get(node);

/** Adds the footer to a node that was just made. @param {Comfy.Node} node */
export function addFooter(node) {
  hideHostProgress(node);
  const progress = el("div", { class: "nb-progress", hidden: true }); // changes each second: no live region
  const notes = el("div", { class: "nb-notes", role: "status" });
  const pictures = el("div", { class: "nb-pictures" });
  const earlier = el("div", { class: "nb-earlier nb-quiet", hidden: true }, t("earlier.picture"));
  const run = isImageNode(node) ? runRow(node) : null;
  const keys = () =>
    button(t("keys.button"), () => footerActions.openSettings(String(valueOf(node, "provider") ?? "")), { title: t("keys.title") });
  const inner = el(
    "div",
    { class: "nb-footer" },
    run?.choice,
    el("div", { class: "nb-row" }, run?.delivery, el("span", { class: "nb-space" }), run ? run.variation : keys()),
    pictures,
    progress,
    notes,
    earlier,
  );
  const root = forwardCanvasEvents(el("div", { class: FRAME }, inner));
  footers.set(node, { run, pictures, picturesShown: "", progress, notes, earlier, shown: "", estimate: null, last: [] });
  addFooterWidget(node, root, inner);
  if (run) addPriceBadge(node);
}

/** @param {Comfy.Node} node @returns {Run} */
function runRow(node) {
  const who = el("span", { class: "nb-who" }, "…");
  const price = el("span", { class: "nb-price" });
  const choice = button("", () => footerActions.openPicker(node), { class: "nb-choice", title: t("price.title") });
  choice.append(who, price);
  const change = () => {
    const other = otherDelivery(node, footers.get(node)?.estimate ?? null);
    if (other) asOneUndoStep(() => setWidget(node, "delivery", other.delivery));
  };
  const delivery = button("", change, { class: "nb-link nb-delivery", title: t("delivery.title"), hidden: true });
  const variation = button(t("variation.button"), () => footerActions.newVariation(node), { title: t("variation.title") });
  return { who, price, choice, delivery, variation };
}

/** @param {Comfy.Node} node @param {import("./server.mjs").Estimate | null} estimate @param {string} [why] There is none. */
export function showEstimate(node, estimate, why) {
  const footer = footers.get(node);
  if (!footer) return;
  footer.estimate = estimate;
  if (footer.run) drawRun(node, footer.run, estimate, why);
  draw(node, footer);
}

/** @param {Comfy.Node} node @param {Run} run @param {import("./server.mjs").Estimate | null} estimate @param {string} [why] */
function drawRun(node, { who, price, choice, delivery, variation }, estimate, why) {
  const [text, tone] = why ? [t("price.unknown"), "plain"] : priceText(node, estimate);
  who.textContent = whoText(node, estimate);
  price.textContent = text;
  price.dataset["tone"] = tone;
  const unknown = estimate && !estimate.problem && estimate.usd_each === null;
  price.title = why ?? (unknown ? t("price.counts", { usd: money(estimate.usd_counted) }) : t("price.title"));
  choice.setAttribute("aria-label", t("choice.label", { what: [who.textContent, text].filter(Boolean).join(" · ") }));
  const other = otherDelivery(node, estimate);
  delivery.textContent = other?.text ?? "";
  delivery.hidden = !other;
  variation.textContent = [t("variation.button"), variationPrice(estimate)].filter(Boolean).join(" · ");
  showPriceBadge(node, runPrice(node, estimate));
}

/** How far a run is; what came of the one before is over. @param {Comfy.Node} node @param {{ who: string, text: string }} progress */
export function showProgress(node, progress) {
  const footer = footers.get(node);
  if (!footer) return;
  footer.progress.textContent = progressLine(progress, footer.run?.who.textContent ?? "");
  footer.progress.hidden = false;
  footer.last = [];
  draw(node, footer);
}

/** Takes the line of a run that has ended away. @param {Comfy.Node} node */
export function hideProgress(node) {
  const footer = footers.get(node);
  if (footer) footer.progress.hidden = true;
}

/** What came of the last run; an empty list takes it away. @param {Comfy.Node} node @param {Note[]} notes */
export function showRunNotes(node, notes) {
  const footer = footers.get(node);
  if (!footer) return;
  footer.progress.hidden = true;
  footer.last = notes;
  footer.shown = ""; // buttons of a note that looks as the one before are for another run
  draw(node, footer);
}

/**
 * Says of the pictures below the footer that they are of an earlier run, or takes that away.
 * @param {Comfy.Node} node @param {boolean} earlier
 */
export function markEarlier(node, earlier) {
  const footer = footers.get(node);
  if (footer) footer.earlier.hidden = !earlier;
}

/** Draws a footer again, after the providers have changed. @param {Comfy.Node} node */
export function redraw(node) {
  const footer = footers.get(node);
  if (footer) draw(node, footer);
}

/** @param {Comfy.Node} node @param {Footer} footer */
function draw(node, footer) {
  drawPictures(node, footer);
  const notes = notesFor(node, { estimate: footer.estimate, last: footer.last, redraw: () => redraw(node) });
  const key = JSON.stringify(notes.map(noteKey));
  if (key === footer.shown) return;
  footer.shown = key;
  footer.notes.replaceChildren(...notes.map(noteElement));
}

/** Which picture has which number. @param {Comfy.Node} node @param {Footer} footer */
function drawPictures(node, footer) {
  const references = numberedReferences(node);
  const text = referencesText(references);
  if (text === footer.picturesShown) return;
  footer.picturesShown = text;
  footer.pictures.replaceChildren(...referencesList(references, footer.pictures.querySelector("details")?.open ?? false));
}
