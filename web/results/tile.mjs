/** A picture of the grid. */
import { el } from "../dom.mjs";
import { costOf, shortModel, stateOf } from "./facts.mjs";
import { thumbnail } from "./row.mjs";

/** @typedef {import("../server.mjs").Result} Result */

/** The least width of a tile, and how much higher than wide it is, in CSS pixels. */
export const TILE = { width: 132, below: 20 };

/** @param {Result} result @param {(event: MouseEvent) => void} open Called when the picture is clicked. */
export function tile(result, open) {
  const words = [shortModel(result.model), costOf(result)].filter(Boolean).join(" · ");
  const [state] = stateOf(result);
  const picture = thumbnail(result, open);
  picture.classList.add("nb-tile-picture");
  // One of all tiles can be reached by Tab: the arrows go on from it.
  picture.tabIndex = -1;
  return el(
    "article",
    { class: "nb-tile", "data-id": result.id, title: result.prompt },
    picture,
    el("p", { class: "nb-quiet nb-line nb-tile-words", title: state || words }, state || words),
  );
}
