/** Two pictures on top of each other, with a slider between them. */
import { el, factList } from "../dom.mjs";
import { openDialog } from "../dialog.mjs";
import { ask, pictureUrl } from "../server.mjs";
import { t, when } from "../i18n.mjs";
import { details } from "./details.mjs";
import { modelLine } from "./facts.mjs";
import { LoadState } from "./load_state.mjs";
import { optionName } from "./origin.mjs";

/** @typedef {import("../server.mjs").Result} Result */
/** @typedef {[string, string]} Fact Name and value. */

/** @param {Result} left @param {Result} right @param {() => void} closed */
export function openCompare(left, right, closed) {
  const both = [left, right];
  const dialog = openDialog(t("compare.title"), { class: "nb-viewer", onclose: closed });
  const slider = el("input", { type: "range", min: "0", max: "100", step: "1", value: "50", "aria-label": t("compare.slider") });
  const images = both.map((each) => el("img", { src: pictureUrl(each.id), alt: each.prompt, draggable: "false", decoding: "async" }));
  const divider = el("div", { class: "nb-divider", "aria-hidden": "true" });
  const labels = ["nb-label-left", "nb-label-right"].map((side) => el("span", { class: `nb-label ${side}` }));
  const states = both.map(() => new LoadState());
  const stage = el("div", { class: "nb-stage nb-two" }, ...images, divider, ...labels, slider);
  const sides = both.map(() => el("section", {}));
  /** What differs in how they were made. @type {[Fact[], Fact[]]} */
  let differing = [[], []];
  const show = () => {
    stage.style.setProperty("--nb-at", `${slider.value}%`);
    both.forEach((each, side) => {
      const image = images[side];
      const size = /** @type {[number, number]} */ (image ? [image.naturalWidth, image.naturalHeight] : [0, 0]);
      const options = el("div", { class: "nb-details" }, factList(differing[side] ?? []));
      sides[side]?.replaceChildren(el("h3", {}, t(side ? "compare.right" : "compare.left")), details(each, size), options);
    });
  };
  const showLabels = () => labelsOf(left, right, differing).forEach((text, side) => labels[side]?.replaceChildren(text));
  slider.addEventListener("input", () => stage.style.setProperty("--nb-at", `${slider.value}%`));
  images.forEach((image, side) => {
    states[side]?.begin();
    image.addEventListener("load", () => {
      states[side]?.end();
      show();
    });
    image.addEventListener("error", () => {
      image.classList.add("nb-broken");
      void states[side]?.fail(both[side]?.id ?? "", () => true);
    });
  });
  dialog.body.append(
    el("div", { class: "nb-viewer-picture" }, el("div", { class: "nb-viewer-stage nb-viewer-two" }, stage, ...states.map((each) => each.root))),
    el("aside", { class: "nb-viewer-side" }, ...sides),
  );
  show();
  slider.focus();
  void Promise.all(both.map(optionsOf)).then(([first, second]) => {
    differing = differences(first ?? {}, second ?? {});
    showLabels();
    show();
  });
}

/** The options that a picture was made with, but for defaults. @param {Result} result @returns {Promise<Record<string, unknown>>} */
const optionsOf = (result) =>
  ask(`/results/${encodeURIComponent(result.id)}/origin`).then(
    (origin) => origin.options ?? {},
    () => ({}), // the other facts are enough
  );

/** @param {Record<string, unknown>} left @param {Record<string, unknown>} right @returns {[Fact[], Fact[]]} */
function differences(left, right) {
  const names = [...new Set([...Object.keys(left), ...Object.keys(right)])].filter((name) => left[name] !== right[name]);
  const facts = (/** @type {Record<string, unknown>} */ options) =>
    names.map((name) => /** @type {Fact} */ ([optionName(name), String(options[name] ?? t("compare.default"))]));
  return [facts(left), facts(right)];
}

/**
 * What tells the two pictures apart: model, options, else when they were made, else their sides.
 * @param {Result} left @param {Result} right @param {[Fact[], Fact[]]} differing
 */
function labelsOf(left, right, differing) {
  const sameModel = modelLine(left) === modelLine(right);
  return [left, right].map((each, side) => {
    const parts = [...(sameModel ? [] : [modelLine(each)]), ...(differing[side] ?? []).map((fact) => fact.join(" "))];
    if (parts.length) return parts.join(" · ");
    return when(left.created) === when(right.created) ? t(side ? "compare.right" : "compare.left") : when(each.created);
  });
}
