/** The results panel: every picture that was asked for, newest first, as a grid or a list. */
import { button, el, icon, stopKeyPropagation } from "../dom.mjs";
import { confirmDialog } from "../dialog.mjs";
import { VirtualList } from "../virtual_list.mjs";
import { menu } from "../menu.mjs";
import { toast } from "../toast.mjs";
import { ask, errorText } from "../server.mjs";
import { t } from "../i18n.mjs";
import { actionsOf } from "./actions.mjs";
import { Choice } from "./choice.mjs";
import { hasFailed, moneyMayBeLost, openName, pictureName } from "./facts.mjs";
import { Filters } from "./filters.mjs";
import { folded, foldLine, isFold } from "./folding.mjs";
import { ResultPages } from "./pages.mjs";
import { resultRow, ROW_HEIGHT } from "./row.mjs";
import { SpentToday } from "./spent_today.mjs";
import { toggleFavourite } from "./star.mjs";
import { tile, TILE } from "./tile.mjs";
import { Viewer } from "./viewer.mjs";

/** @typedef {import("../server.mjs").Result} Result */
/** @typedef {import("./folding.mjs").Fold} Fold */
/** @typedef {"grid" | "list"} View */
/**
 * @typedef {object} Work What others do for the panel.
 * @property {() => Promise<void>} recoverAll
 * @property {(id: string) => Promise<void>} recover
 * @property {(id: string) => Promise<unknown>} read
 */

const DEBOUNCE_MS = 250;
const FOLD_HEIGHT = 34;
/** So many failures in a row are folded: in the list each has a row, and one alone keeps it. */
const LEAST_FOLDED = { grid: 1, list: 2 };
const VIEW_KEY = "nano_banana.results.view";

export class Gallery {
  /** @param {Work} work */
  constructor(work) {
    this.work = work;
    /** @type {View} How one browser likes to see it; no fact about a picture is kept there. */
    this.view = localStorage.getItem(VIEW_KEY) === "list" ? "list" : "grid";
    /** Ids of the failed ones that are shown. @type {Set<string>} */
    this.unfolded = new Set();
    /** Id of a picture -> its place among the pictures, from 1. @type {Map<string, number>} */
    this.places = new Map();
    /** Id of the tile that Tab reaches. */
    this.current = "";
    /** @type {Viewer | null} */
    this.viewer = null;
    /** What waits until nothing more happens for a moment. */
    this.timers = { narrow: 0, refresh: 0 };
    this.pages = new ResultPages(() => this.filter(), () => this.resultsChanged());
    this.count = el("span", { class: "nb-quiet" });
    this.search = el("input", { type: "search", placeholder: t("results.search"), "aria-label": t("results.search") });
    this.search.addEventListener("input", () => this.debounce("narrow", () => this.narrow()));
    this.filters = new Filters(() => this.narrow());
    this.choice = new Choice(() => this.choiceChanged(), () => this.focus(this.indexOf(this.choice.results.at(-1)?.id ?? "")));
    this.spent = new SpentToday();
    this.empty = el("p", { class: "nb-quiet nb-empty" });
    /** Says that some pictures can't be shown now. */
    this.away = el("p", { class: "nb-quiet", role: "status", hidden: "" }, t("results.away"));
    this.viewButtons = [this.viewButton("grid", "pi-th-large"), this.viewButton("list", "pi-list")];
    /** @type {VirtualList<Result | Fold>} */
    this.list = new VirtualList({
      draw: (item) => this.drawItem(item),
      wantMore: () => void this.pages.more().catch((error) => this.showProblem(error)),
      shape: (item) => this.shapeOf(item),
      tile: TILE,
      placed: (element, item) => this.nameItem(element, item),
    });
    this.list.root.addEventListener("keydown", (event) => this.key(event));
    this.root = stopKeyPropagation(
      el(
        "div",
        { class: "nb-results" },
        el("header", { class: "nb-row" }, el("h2", {}, t("results.heading")), this.count, el("span", { class: "nb-space" }), this.spent.root),
        el(
          "div",
          { class: "nb-row" },
          this.search,
          this.filters.favourites,
          this.filters.opener,
          this.choice.opener,
          el("div", { class: "nb-views", role: "group", "aria-label": t("results.view") }, ...this.viewButtons),
          this.menu(),
        ),
        this.filters.root,
        this.away,
        this.empty,
        this.list.root,
        this.choice.root,
      ),
    );
  }

  /** @param {View} view @param {string} iconName */
  viewButton(view, iconName) {
    const facts = { "aria-label": t(`results.view_${view}`), title: t(`results.view_${view}`), "aria-pressed": String(view === this.view) };
    const made = button("", () => this.setView(view), facts);
    made.append(icon(iconName));
    return made;
  }

  menu() {
    const monthAgo = () => Date.now() / 1000 - 30 * 86400;
    return menu(t("results.more"), [
      button(t("results.recover"), () => this.work.recoverAll()),
      button(t("results.forget_old"), () => this.forgetMany("results.forget_old_sure", () => `before=${monthAgo()}&keep=favourites`)),
      button(t("results.forget_all"), () => this.forgetMany("results.forget_all_sure", () => "all=yes"), { class: "nb-danger" }),
    ]);
  }

  /** What is asked for. */
  filter() {
    const query = new URLSearchParams({ query: this.search.value.trim() });
    this.filters.addTo(query);
    return query;
  }

  /** Loads the first page and today's sum. @param {"begin" | "refresh"} [how] A refresh leaves everything where it is. */
  async reload(how = "begin") {
    this.filters.showCount();
    void this.spent.refresh();
    await this.load(how);
  }

  /** What is asked for has changed: the list is another one, and what was spent is the same. */
  narrow() {
    this.filters.showCount();
    void this.load("begin");
  }

  /** Something new may have come in. */
  later() {
    this.debounce("refresh", () => void this.reload("refresh"));
  }

  /** @param {"narrow" | "refresh"} which @param {() => void} work Done once nothing more happens for a moment. */
  debounce(which, work) {
    window.clearTimeout(this.timers[which]);
    this.timers[which] = window.setTimeout(work, DEBOUNCE_MS);
  }

  /** @param {"begin" | "refresh"} how */
  async load(how) {
    if (how === "begin") this.fromTop = true;
    try {
      await this.pages.load(how);
    } catch (error) {
      this.showProblem(error);
    }
  }

  /** @param {unknown} error */
  showProblem(error) {
    this.empty.textContent = errorText(error);
  }

  resultsChanged() {
    const pictures = this.pictures();
    this.places = new Map(pictures.map((each, index) => [each.id, index + 1]));
    const items = folded(this.pages.items, this.unfolded, LEAST_FOLDED[this.view]);
    if (this.fromTop) this.list.reset(items);
    else this.list.replace(items);
    this.fromTop = false;
    this.count.textContent = t("results.count", { n: this.pages.pictures });
    this.empty.textContent = this.list.length ? "" : t(this.search.value.trim() || this.filters.isActive ? "results.none_found" : "results.empty");
    this.away.hidden = !this.pages.items.some((each) => each.away);
    this.viewer?.refresh();
  }

  choiceChanged() {
    this.list.root.classList.toggle("nb-choosing", this.choice.isActive);
    this.list.show();
  }

  pictures() {
    return this.pages.items.filter((each) => each.picture);
  }

  /** @param {View} view */
  setView(view) {
    if (view === this.view) return;
    const first = this.list.items[this.list.firstInSight()];
    this.view = view;
    localStorage.setItem(VIEW_KEY, view);
    for (const [index, each] of this.viewButtons.entries()) each.setAttribute("aria-pressed", String((index === 0) === (view === "grid")));
    this.resultsChanged();
    this.list.redraw();
    const index = this.list.items.findIndex((each) => each.id === first?.id);
    if (index > 0) this.list.root.scrollTop = this.list.topOf(index);
  }

  // -- one item

  /** @param {Result | Fold} item @returns {import("../virtual_list.mjs").Shape} */
  shapeOf(item) {
    if (isFold(item)) return { height: FOLD_HEIGHT };
    if (this.isTile(item)) return "tile";
    return { height: ROW_HEIGHT, grows: moneyMayBeLost(item) };
  }

  /** @param {Result} result Rows, in the grid too: what asks for a decision, and what was folded. */
  isTile(result) {
    return this.view === "grid" && !result.recoverable && !moneyMayBeLost(result) && !hasFailed(result);
  }

  /** @param {Result | Fold} item */
  drawItem(item) {
    if (isFold(item)) return foldLine(item, () => this.toggleFold(item));
    const handlers = {
      open: () => (this.choice.isActive ? this.choice.toggle(item) : this.open(item.id)),
      choose: () => this.choice.toggle(item),
      toggleFavourite: () => this.toggleFavourite(item),
    };
    return this.isTile(item) ? tile(item, handlers) : resultRow(item, this.actions(item), handlers);
  }

  /** @param {HTMLElement} element @param {Result | Fold} item */
  nameItem(element, item) {
    const chosen = this.choice.has(item.id);
    element.classList.toggle("nb-chosen-tile", chosen);
    element.querySelector(".nb-choose")?.setAttribute("aria-pressed", String(chosen));
    const picture = element.querySelector(".nb-tile-picture");
    if (!(picture instanceof HTMLElement) || isFold(item)) return;
    picture.tabIndex = item.id === this.current || (!this.current && this.places.get(item.id) === 1) ? 0 : -1;
    const place = this.places.get(item.id); // none where there is no picture
    const name = place ? pictureName(item, place, this.pages.pictures) : openName(item);
    if (picture.getAttribute("aria-label") !== name) picture.setAttribute("aria-label", name);
  }

  /** @param {Fold} fold */
  toggleFold(fold) {
    for (const id of fold.folded) fold.open ? this.unfolded.delete(id) : this.unfolded.add(id);
    this.resultsChanged();
    this.list.reveal(this.indexOf(fold.id))?.querySelector("button")?.focus({ preventScroll: true });
  }

  /** @param {string} id Of a result or a fold. */
  indexOf(id) {
    return this.list.items.findIndex((each) => each.id === id);
  }

  /** @param {Result} result */
  async toggleFavourite(result) {
    const focused = this.list.room.contains(document.activeElement);
    try {
      this.pages.update(await toggleFavourite(result));
    } catch (error) {
      toast("error", t("results.favourite"), errorText(error));
    }
    if (focused) this.focus(this.indexOf(result.id));
  }

  /** @param {Result} result @param {"row" | "whole"} [room] */
  actions(result, room = "row") {
    const handlers = {
      recover: async (/** @type {string} */ id) => {
        await this.work.recover(id);
        await this.reload("refresh");
      },
      read: (/** @type {string} */ id) => this.work.read(id),
      forgotten: (/** @type {string} */ id) => {
        this.viewer?.leave(id);
        this.choice.drop(id);
        this.pages.remove(id);
        void this.reload("refresh");
      },
      toggleFavourite: (/** @type {Result} */ each) => this.toggleFavourite(each),
      choose: (/** @type {Result} */ each) => {
        this.choice.toggle(each);
        this.viewer?.dialog.close();
      },
      changed: async (/** @type {string} */ id) => {
        await this.reload("refresh");
        this.focusResult(id);
      },
      onCanvas: () => this.viewer?.dialog.close(),
    };
    return actionsOf(result, handlers, room);
  }

  /** @param {string} id */
  open(id) {
    this.current = id;
    this.viewer = new Viewer(
      {
        pictures: () => this.pictures(),
        count: () => Math.max(this.pages.pictures, this.places.size),
        more: () => this.pages.more(),
        actions: (result) => this.actions(result, "whole"),
        toggleFavourite: (which) => {
          const result = this.pages.items.find((each) => each.id === which);
          return result && this.toggleFavourite(result);
        },
        closed: (last) => {
          this.viewer = null;
          this.focus(this.indexOf(last));
        },
      },
      id,
    );
  }

  // -- the keyboard

  /** @param {KeyboardEvent} event */
  key(event) {
    const { target } = event;
    if (this.view !== "grid" || !(target instanceof HTMLElement) || target.matches("input, .nb-button")) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { columns, items } = this.list;
    const id = target.closest("[data-id]")?.getAttribute("data-id");
    const here = this.indexOf(id ?? "");
    /** @type {Record<string, number>} */
    const keys = { ArrowRight: here + 1, ArrowLeft: here - 1, ArrowDown: here + columns, ArrowUp: here - columns, Home: 0, End: items.length - 1 };
    const item = items[here];
    if (item && !isFold(item) && item.picture && (event.key === "f" || event.key === "c")) {
      event.preventDefault();
      if (event.key === "c") this.choice.toggle(item);
      else void this.toggleFavourite(item);
    }
    const there = keys[event.key];
    if (there === undefined) return;
    event.preventDefault();
    this.focus(here < 0 ? this.list.firstInSight() : Math.min(Math.max(there, 0), items.length - 1));
  }

  /** @param {number} index */
  focus(index) {
    const element = this.list.reveal(index);
    const inner = element?.querySelector("a, button");
    if (!(inner instanceof HTMLElement)) return;
    this.current = this.list.items[index]?.id ?? "";
    for (const each of this.list.room.querySelectorAll(".nb-tile-picture")) /** @type {HTMLElement} */ (each).tabIndex = -1;
    inner.tabIndex = 0;
    inner.focus({ preventScroll: true });
  }

  /** Gives the focus to a result, or to the line behind which it is folded. @param {string} id */
  focusResult(id) {
    const shown = this.indexOf(id);
    this.focus(shown >= 0 ? shown : this.list.items.findIndex((each) => isFold(each) && each.folded.includes(id)));
  }

  /** @param {string} question @param {() => string} which */
  async forgetMany(question, which) {
    if (!(await confirmDialog(t(question), t("results.forget")))) return;
    const answer = await ask(`/results?${which()}`, { method: "DELETE" });
    for (const { id } of this.choice.results) this.choice.drop(id); // which ones are gone isn't said
    toast("success", t("results.forget"), t("results.forgotten", { n: answer.forgotten }));
    void this.reload();
  }
}
