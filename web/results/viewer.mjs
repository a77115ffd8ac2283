/** One picture, as large as the window: arrows go to its neighbours, it can be enlarged, and its facts stand beside it. */
import { button, el } from "../dom.mjs";
import { openDialog } from "../dialog.mjs";
import { ask, pictureUrl } from "../server.mjs";
import { t } from "../i18n.mjs";
import { details } from "./details.mjs";
import { pictureName } from "./facts.mjs";
import { LoadState } from "./load_state.mjs";
import { originOf } from "./origin.mjs";
import { THUMBNAIL } from "./row.mjs";
import { ZoomStage } from "./zoom.mjs";

/** @typedef {import("../server.mjs").Result} Result */
/**
 * @typedef {object} Album
 * @property {() => Result[]} pictures Those that are known so far.
 * @property {() => number} count How many there are in all.
 * @property {() => Promise<void>} more Loads further ones.
 * @property {(result: Result) => HTMLElement[]} actions
 * @property {(id: string) => unknown} toggleFavourite
 * @property {(id: string) => void} closed Called with the picture that was shown last.
 */

export class Viewer {
  /** @param {Album} album @param {string} id Of the picture that is shown first. */
  constructor(album, id) {
    this.album = album;
    this.id = id;
    this.loadState = new LoadState();
    this.stage = new ZoomStage(() => this.stageChanged(), (state) => this.pictureLoaded(state));
    /** What the facts were drawn for. */
    this.drawn = "";
    this.scale = el("output", { class: "nb-quiet nb-scale" });
    this.facts = el("div", {});
    this.origin = el("div", {});
    this.actions = el("div", { class: "nb-actions nb-small" });
    this.previous = button("‹", () => this.go(-1), { class: "nb-previous", "aria-label": t("viewer.previous"), title: t("viewer.previous") });
    this.next = button("›", () => this.go(1), { class: "nb-next", "aria-label": t("viewer.next"), title: t("viewer.next") });
    this.dialog = openDialog("", { class: "nb-viewer", onclose: () => this.album.closed(this.id) });
    this.dialog.body.append(
      el("div", { class: "nb-viewer-picture" }, el("div", { class: "nb-viewer-stage" }, this.stage.root, this.loadState.root, this.previous, this.next), this.zoomButtons()),
      el("aside", { class: "nb-viewer-side" }, this.actions, this.facts, this.origin),
    );
    this.dialog.root.addEventListener("keydown", (event) => this.key(event));
    this.show(id);
    this.next.focus();
  }

  zoomButtons() {
    const add = (/** @type {string} */ text, /** @type {string} */ name, /** @type {() => void} */ work) =>
      button(text, work, { "aria-label": t(name), title: t(name) });
    return el(
      "div",
      { class: "nb-zoom" },
      add("−", "viewer.smaller", () => this.stage.smaller()),
      this.scale,
      add("+", "viewer.larger", () => this.stage.larger()),
      add("1:1", "viewer.actual", () => this.stage.setScale(1)),
      add("⤢", "viewer.fit", () => this.stage.fit()),
    );
  }

  get index() {
    return this.album.pictures().findIndex((each) => each.id === this.id);
  }

  /** @param {string} id */
  show(id) {
    const pictures = this.album.pictures();
    const index = pictures.findIndex((each) => each.id === id);
    const result = pictures[index];
    if (!result) return this.dialog.close();
    this.id = id;
    const name = pictureName(result, index + 1, this.album.count());
    this.showPlace(index);
    this.stage.show(pictureUrl(id), name, pictureUrl(id, THUMBNAIL));
    this.actions.replaceChildren(...this.album.actions(result));
    this.stageChanged();
    void this.showOrigin(id);
  }

  /** @param {"loading" | "here" | "failed"} state */
  pictureLoaded(state) {
    const { id } = this;
    if (state === "loading") this.loadState.begin();
    else if (state === "here") this.loadState.end();
    else void this.loadState.fail(id, () => this.id === id);
  }

  stageChanged() {
    this.scale.textContent = this.stage.size[0] ? `${Math.round(this.stage.scale * 100)} %` : this.stage.isLoading ? "…" : "–";
    const drawn = `${this.id} ${this.stage.size}`;
    if (drawn === this.drawn) return; // each move of the picture comes here
    const result = this.album.pictures()[this.index];
    if (!result) return;
    this.drawn = drawn;
    this.facts.replaceChildren(details(result, this.stage.size));
  }

  /** @param {string} id */
  async showOrigin(id) {
    this.origin.replaceChildren();
    const origin = await ask(`/results/${encodeURIComponent(id)}/origin`).catch(() => ({})); // the facts above are enough
    if (this.id !== id) return;
    const known = (/** @type {string} */ other) => this.album.pictures().some((each) => each.id === other);
    this.origin.replaceChildren(originOf(origin, known, (other) => this.show(other)));
  }

  /** Something about the pictures has changed. The button that has the focus keeps it. */
  refresh() {
    const { index } = this;
    const result = this.album.pictures()[index];
    if (!result) return;
    this.showPlace(index);
    const buttons = [...this.actions.children];
    const focused = buttons.findIndex((each) => each === document.activeElement);
    this.actions.replaceChildren(...this.album.actions(result));
    if (focused >= 0) /** @type {HTMLElement | undefined} */ (this.actions.children[focused])?.focus();
  }

  /** @param {number} index */
  showPlace(index) {
    const count = this.album.count();
    const heading = this.dialog.root.querySelector("h2");
    if (heading) heading.textContent = t("viewer.title", { n: index + 1, count });
    this.previous.disabled = index === 0;
    this.next.disabled = index + 1 >= count;
  }

  /** Shows the neighbour of one that is about to be removed, or closes. @param {string} id */
  leave(id) {
    if (id !== this.id) return;
    const pictures = this.album.pictures();
    const neighbour = pictures[this.index + 1] ?? pictures[this.index - 1];
    if (neighbour) this.show(neighbour.id);
    else this.dialog.close();
  }

  /** @param {number} step */
  async go(step) {
    const from = this.index;
    if (from + step >= this.album.pictures().length) await this.album.more();
    const there = this.album.pictures()[Math.max(0, from + step)];
    if (there && there.id !== this.id) this.show(there.id);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.target instanceof HTMLInputElement || event.ctrlKey || event.metaKey || event.altKey) return;
    /** @type {Record<string, () => unknown>} */
    const keys = {
      ArrowLeft: () => this.go(-1),
      ArrowRight: () => this.go(1),
      ArrowUp: () => this.stage.moveBy(0, 60),
      ArrowDown: () => this.stage.moveBy(0, -60),
      f: () => this.album.toggleFavourite(this.id),
      "+": () => this.stage.larger(),
      "=": () => this.stage.larger(),
      "-": () => this.stage.smaller(),
      0: () => this.stage.fit(),
      1: () => this.stage.setScale(1),
    };
    const work = keys[event.key];
    if (!work) return;
    event.preventDefault();
    void work();
  }
}
