/** Requests that failed one after the other are one line until somebody opens it. */
import { el, icon } from "../dom.mjs";
import { t } from "../i18n.mjs";
import { hasFailed } from "./facts.mjs";

/** @typedef {import("../server.mjs").Result} Result */
/** @typedef {{ id: string, folded: string[], open: boolean }} Fold Ids of the failed ones behind it. */

/** @param {Result | Fold} item @returns {item is Fold} */
export const isFold = (item) => "folded" in item;

/**
 * @param {Result[]} results
 * @param {ReadonlySet<string>} open Ids of failed ones that are shown.
 * @param {number} least So many of them make a fold.
 * @returns {(Result | Fold)[]}
 */
export function folded(results, open, least) {
  /** @type {(Result | Fold)[]} */
  const found = [];
  /** @type {Result[]} */
  let failed = [];
  const end = () => {
    const [first] = failed;
    if (first && failed.length >= least) {
      const isOpen = failed.some((each) => open.has(each.id));
      found.push({ id: `fold-${first.id}`, folded: failed.map((each) => each.id), open: isOpen });
      if (isOpen) found.push(...failed);
    } else found.push(...failed);
    failed = [];
  };
  for (const result of results) {
    if (hasFailed(result)) failed.push(result);
    else {
      end();
      found.push(result);
    }
  }
  end();
  return found;
}

/** @param {Fold} fold @param {() => void} toggle */
export function foldLine(fold, toggle) {
  return el(
    "div",
    { class: "nb-fold" },
    el(
      "button",
      { type: "button", class: "nb-fold-button", "aria-expanded": String(fold.open), onclick: toggle },
      icon(fold.open ? "pi-chevron-down" : "pi-chevron-right"),
      ` ${t("results.failed_count", { n: fold.folded.length })}`,
    ),
  );
}
