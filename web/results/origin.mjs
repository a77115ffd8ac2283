/** What a picture was made from: the files and pictures that went along, and the options that aren't at their defaults. */
import { api } from "/scripts/api.js";
import { button, el, factList } from "../dom.mjs";
import { pictureUrl } from "../server.mjs";
import { t } from "../i18n.mjs";

/**
 * @typedef {{ file?: string, state?: "here" | "changed" | "gone" | "", node?: string, prompt?: string, pictures?: string[] }} Source
 * @typedef {{ input: string, sources: Source[], through: string[] }} Reference
 * @typedef {{ options?: Record<string, string | number | boolean>, references?: Reference[] }} Origin
 */

const THUMBNAIL = 128;

/**
 * @param {Origin} origin
 * @param {(id: string) => boolean} known Whether a picture can be opened here.
 * @param {(id: string) => void} open
 */
export function originOf({ options = {}, references = [] }, known, open) {
  const values = Object.entries(options);
  return el(
    "div",
    { class: "nb-origin" },
    references.length ? el("h3", {}, t("origin.title")) : null,
    ...references.map((each) => referenceOf(each, known, open)),
    values.length ? el("h3", {}, t("origin.options")) : null,
    values.length ? factList(values.map(([name, value]) => [optionName(name), String(value)])) : null,
    // The store has what the provider sent; the node puts it together with what is outside of the mask.
    references.some((each) => each.input === "mask") ? el("p", { class: "nb-quiet" }, t("origin.masked")) : null,
  );
}

/** How an option is called on the node. @param {string} name */
export const optionName = (name) => t(`option.${name}`);

/** @param {Reference} reference @param {(id: string) => boolean} known @param {(id: string) => void} open */
function referenceOf({ input, sources, through }, known, open) {
  const words = through.length ? t("origin.through", { nodes: through.join(", ") }) : "";
  return el(
    "figure",
    {},
    el("div", { class: "nb-origin-pictures" }, ...sources.flatMap((each) => picturesOf(each, known, open))),
    el(
      "figcaption",
      { class: "nb-quiet nb-whole" },
      el("strong", {}, input),
      ...sources.map((each) => el("span", {}, ` · ${sourceName(each)}`)),
      words ? el("span", {}, ` · ${words}`) : null,
    ),
  );
}

/** @param {Source} source @param {(id: string) => boolean} known @param {(id: string) => void} open @returns {HTMLElement[]} */
function picturesOf({ file, state, pictures = [] }, known, open) {
  if (file !== undefined) return state === "gone" || state === "" ? [] : [el("img", { src: inputUrl(file), alt: file, loading: "lazy" })];
  return pictures.map((id) => {
    const image = el("img", { src: pictureUrl(id, THUMBNAIL), alt: "", loading: "lazy" });
    const made = button("", () => open(id), { class: "nb-origin-picture", "aria-label": t("origin.open"), title: t("origin.open"), disabled: !known(id) });
    made.append(image);
    return made;
  });
}

/** @param {Source} source */
function sourceName({ file, state, prompt }) {
  if (file === undefined) return t("origin.made", { prompt: prompt ?? "" });
  if (state === "gone") return t("origin.gone", { file });
  return state === "changed" ? t("origin.changed", { file }) : file;
}

/** A file as LoadImage names it, for the host's own route. @param {string} name Maybe with a folder, or [output] behind it. */
function inputUrl(name) {
  const [, path = name, type = "input"] = /^(.*?)(?: \[(input|output|temp)\])?$/s.exec(name) ?? [];
  const cut = path.lastIndexOf("/");
  return api.apiURL(`/view?${new URLSearchParams({ filename: path.slice(cut + 1), subfolder: path.slice(0, Math.max(0, cut)), type })}`);
}
