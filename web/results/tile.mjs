/** A picture of the grid. */
import { el } from "../dom.mjs";
import { chooseButton } from "./choice.mjs";
import { costOf, shortModel, stateOf } from "./facts.mjs";
import { thumbnail } from "./row.mjs";
import { maskedLabel } from "./masked.mjs";
import { star } from "./star.mjs";

/** @typedef {import("../server.mjs").Result} Result */

/** The least width of a tile, and how much higher than wide it is, in CSS pixels. */
export const TILE = { width: 132, below: 20 };

/**
 * @param {Result} result
 * @param {{ open: () => void, choose: () => void, toggleFavourite: () => unknown }} handlers
 */
export function tile(result, { open, choose, toggleFavourite }) {
  const [model, cost] = [shortModel(result.model), costOf(result)];
  const [state] = stateOf(result);
  const picture = thumbnail(result, open);
  picture.classList.add("nb-tile-picture");
  // One of all tiles can be reached by Tab: the arrows go on from it.
  picture.tabIndex = -1;
  return el(
    "article",
    { class: "nb-tile", "data-id": result.id, title: result.prompt },
    picture,
    result.picture ? star(result, toggleFavourite) : null,
    result.picture ? chooseButton(result, choose) : null,
    maskedLabel(result),
    el(
      "p",
      { class: "nb-quiet nb-tile-words", title: state || [model, cost].filter(Boolean).join(" · ") },
      el("span", {}, state || model), // cut off where it is long, the price never
      !state && cost && el("span", {}, ` · ${cost}`),
    ),
  );
}
