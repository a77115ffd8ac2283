/** Two pictures on top of each other, with a slider between them. */
import { el } from "../dom.mjs";
import { openDialog } from "../dialog.mjs";
import { pictureUrl } from "../server.mjs";
import { t } from "../i18n.mjs";
import { details } from "./details.mjs";
import { modelLine } from "./facts.mjs";

/** @typedef {import("../server.mjs").Result} Result */

/** @param {Result} left @param {Result} right @param {() => void} closed */
export function openCompare(left, right, closed) {
  const dialog = openDialog(t("compare.title"), { class: "nb-viewer", onclose: closed });
  const slider = el("input", { type: "range", min: "0", max: "100", step: "1", value: "50", "aria-label": t("compare.slider") });
  const images = [left, right].map((each) =>
    el("img", { src: pictureUrl(each.id), alt: each.prompt, draggable: "false", decoding: "async" }),
  );
  const divider = el("div", { class: "nb-divider", "aria-hidden": "true" });
  const stage = el("div", { class: "nb-stage nb-two" }, ...images, divider, ...labels(left, right), slider);
  const sides = [left, right].map(() => el("section", {}));
  const show = () => {
    stage.style.setProperty("--nb-at", `${slider.value}%`);
    [left, right].forEach((each, side) => {
      const image = images[side];
      const size = /** @type {[number, number]} */ (image ? [image.naturalWidth, image.naturalHeight] : [0, 0]);
      sides[side]?.replaceChildren(el("h3", {}, t(side ? "compare.right" : "compare.left")), details(each, size));
    });
  };
  slider.addEventListener("input", () => stage.style.setProperty("--nb-at", `${slider.value}%`));
  for (const image of images) image.addEventListener("load", show);
  dialog.body.append(el("div", { class: "nb-viewer-picture" }, stage), el("aside", { class: "nb-viewer-side" }, ...sides));
  show();
  slider.focus();
}

/** @param {Result} left @param {Result} right */
const labels = (left, right) => [
  el("span", { class: "nb-label nb-label-left" }, modelLine(left)),
  el("span", { class: "nb-label nb-label-right" }, modelLine(right)),
];
