/** Choosing two pictures to compare: the button that begins it, the ticks on the pictures, and the line that says how far it is. */
import { button, el, icon } from "../dom.mjs";
import { t } from "../i18n.mjs";
import { openCompare } from "./compare.mjs";
import { pictureToggle } from "./star.mjs";

/** @typedef {import("../server.mjs").Result} Result */

export class Choice {
  /** @param {() => void} changed @param {() => void} closed Called once a comparison is closed. */
  constructor(changed, closed) {
    this.changed = changed;
    this.closed = closed;
    /** Whether a click on a picture chooses it. */
    this.isActive = false;
    /** @type {Result[]} The older choice first. */
    this.results = [];
    this.text = el("span", { role: "status" });
    this.open = button(t("results.compare"), () => this.compare(), { class: "nb-main" });
    this.root = el("div", { class: "nb-row nb-chosen-pictures", hidden: true }, this.text, this.open, button(t("results.choose_end"), () => this.end()));
    const name = t("compare.title");
    this.opener = button("", () => (this.isActive ? this.end() : this.set([])), { class: "nb-icon", "aria-label": name, title: name, "aria-pressed": "false" });
    this.opener.append(icon("pi-check-square"));
  }

  /** @param {string} id */
  has(id) {
    return this.results.some((each) => each.id === id);
  }

  /** Of three the one that was chosen first is left out. @param {Result} result */
  toggle(result) {
    this.set(this.has(result.id) ? this.results.filter((each) => each.id !== result.id) : [...this.results, result].slice(-2));
  }

  /** @param {string} id Of a result that is forgotten. */
  drop(id) {
    if (this.has(id)) this.set(this.results.filter((each) => each.id !== id));
  }

  /** @param {Result[]} results */
  set(results) {
    this.isActive = true;
    this.results = results;
    const [first, second] = results;
    this.text.textContent = t(second ? "results.chosen_two" : first ? "results.chosen_one" : "results.chosen_none");
    this.open.disabled = results.length !== 2;
    this.show();
  }

  end() {
    this.isActive = false;
    this.results = [];
    this.show();
  }

  show() {
    this.root.hidden = !this.isActive;
    this.opener.setAttribute("aria-pressed", String(this.isActive));
    this.changed();
  }

  compare() {
    const [left, right] = this.results;
    if (left && right) openCompare(left, right, this.closed);
  }
}

/** Marks a picture as one of the two that are compared. @param {Result} result @param {() => void} choose */
export const chooseButton = (result, choose) =>
  pictureToggle(result, { name: t("results.choose"), symbol: "pi-check", class: "nb-choose", isPressed: false }, choose);
