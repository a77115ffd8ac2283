/** Says on a node which picture has which number in its prompt: a link that goes or comes changes the numbers. */
import { el } from "./dom.mjs";
import { sourceOf, valueOf } from "./graph.mjs";
import { linkedReferences } from "./sockets.mjs";
import { t } from "./i18n.mjs";

/** This many lines are always shown; what follows is folded. */
const ALWAYS_SHOWN = 4;

/** @typedef {{ number: number, input: string, from: string, note: string }} Numbered `number` 0: no picture comes. */

/** The pictures of an edit as its prompt numbers them. @param {Comfy.Node} node @returns {Numbered[]} */
export function numberedReferences(node) {
  let number = 0;
  const found = linkedReferences(node).map((name) => {
    const source = sourceOf(node, name)?.node;
    if (source) number += 1;
    const input = name.slice(name.lastIndexOf(".") + 1);
    return { number: source ? number : 0, input, from: source ? nameOf(source) : "", note: source ? noteOn(node, number) : "" };
  });
  if (number && valueOf(node, "mask_hint") === "as last reference" && sourceOf(node, "mask")) {
    found.push({ number: number + 1, input: "mask", from: t("references.mask"), note: "" });
  }
  return found;
}

/** What a number means beside its input. @param {Comfy.Node} node @param {number} number */
function noteOn(node, number) {
  const parts = [];
  if (number === 1 && valueOf(node, "region") === "masked region") parts.push(t("references.region"));
  const mode = valueOf(node, "batch_mode");
  if (mode === "each paired") parts.push(t("references.paired"));
  if (mode === "each" && number === 1) parts.push(t("references.each"));
  return parts.join(", ");
}

/** How a person knows a node: by its title, and by its file where it has one. @param {Comfy.Node} node */
function nameOf(node) {
  const title = String(node.title || node.type || "");
  const file = node.comfyClass === "LoadImage" ? valueOf(node, "image") : undefined;
  return typeof file === "string" && file ? `${title} '${file.replace(/ \[(input|output|temp)\]$/, "")}'` : title;
}

/** The lines as text: what has changed is drawn again. @param {Numbered[]} references */
export const referencesText = (references) => references.map((each) => lineOf(each).join("")).join("\n");

/** @param {Numbered} reference @returns {[string, string]} What counts, and where it comes from. */
function lineOf({ number, input, from, note }) {
  if (!number) return [t("references.none", { input }), ""];
  const label = t("references.picture", { n: number, input });
  return [note ? t("references.noted", { label, note }) : label, ` · ${from}`];
}

/** @param {Numbered[]} references @param {boolean} open Whether the folded lines are shown. */
export function referencesList(references, open) {
  const lines = references.map((reference) => {
    const [label, from] = lineOf(reference);
    const quiet = reference.number ? "" : " nb-quiet";
    return el("li", { class: `nb-line${quiet}`, title: label + from }, label, from && el("span", { class: "nb-quiet" }, from));
  });
  const folded = lines.length > ALWAYS_SHOWN ? lines.splice(ALWAYS_SHOWN - 1) : [];
  const more = folded.length
    ? el("details", { open }, el("summary", {}, t("references.more", { n: folded.length })), el("ul", {}, ...folded))
    : null;
  return [lines.length ? el("ul", { title: t("references.title") }, ...lines) : null, more].filter((each) => each !== null);
}
