/** The mark of a favourite. It is kept with the picture on the server, so that every browser sees it. */
import { el, icon } from "../dom.mjs";
import { ask } from "../server.mjs";
import { t } from "../i18n.mjs";
import { actionName } from "./facts.mjs";

/** @typedef {import("../server.mjs").Result} Result */

/** @param {Result} result @returns {Promise<Result>} As it is now. */
export async function toggleFavourite(result) {
  const path = `/results/${encodeURIComponent(result.id)}/favourite`;
  const { favourite } = await ask(path, { method: "PUT", body: { favourite: !result.favourite } });
  return { ...result, favourite };
}

/** @param {Result} result @param {() => unknown} toggle */
export function star(result, toggle) {
  const symbol = result.favourite ? "pi-star-fill" : "pi-star";
  return pictureToggle(result, { name: t("results.favourite"), symbol, class: "nb-star", isPressed: result.favourite }, toggle);
}

/**
 * A small button on a picture that marks it, beyond the reach of Tab.
 * @param {Result} result @param {{ name: string, symbol: string, class: string, isPressed: boolean }} facts @param {() => unknown} toggle
 */
export function pictureToggle(result, { name, symbol, class: kind, isPressed }, toggle) {
  const facts = { type: "button", class: kind, "aria-pressed": String(isPressed), "aria-label": actionName(name, result), title: name, tabindex: "-1" };
  return el("button", { ...facts, onclick: toggle }, icon(symbol));
}
