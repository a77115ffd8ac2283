/** The pictures that are chosen to be compared, and the line that says so. */
import { button, el } from "../dom.mjs";
import { t } from "../i18n.mjs";
import { openCompare } from "./compare.mjs";

/** @typedef {import("../server.mjs").Result} Result */

export class Choice {
  /** @param {() => void} changed @param {() => void} closed Called once a comparison is closed. */
  constructor(changed, closed) {
    this.changed = changed;
    this.closed = closed;
    /** @type {Result[]} The older choice first. */
    this.results = [];
    this.text = el("span", { role: "status" });
    this.open = button(t("results.compare"), () => this.compare(), { class: "nb-main" });
    this.root = el("div", { class: "nb-row nb-chosen-pictures", hidden: true }, this.text, this.open, button(t("results.choose_none"), () => this.set([])));
  }

  /** @param {string} id */
  has(id) {
    return this.results.some((each) => each.id === id);
  }

  /** Of three the one that was chosen first is left out. @param {Result} result */
  toggle(result) {
    this.set(this.has(result.id) ? this.results.filter((each) => each.id !== result.id) : [...this.results, result].slice(-2));
  }

  /** @param {Result[]} results */
  set(results) {
    this.results = results;
    this.root.hidden = !results.length;
    this.text.textContent = t(results.length === 2 ? "results.chosen_two" : "results.chosen_one");
    this.open.disabled = results.length !== 2;
    this.changed();
  }

  compare() {
    const [left, right] = this.results;
    if (left && right) openCompare(left, right, this.closed);
  }
}
