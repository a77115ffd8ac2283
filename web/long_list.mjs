/**
 * A list of rows of one height, of which only those in sight are elements: thousands scroll as smoothly as ten.
 * A row that hasn't changed keeps its element, so that a refresh loses neither the focus nor a picture.
 */
import { el } from "./element.mjs";

/** Rows that are kept above and below what is in sight. */
const BEYOND = 6;

/** @template {{ id: string }} T */
export class LongList {
  /**
   * @param {number} height Of a row, in CSS pixels.
   * @param {(item: T) => HTMLElement} draw
   * @param {() => void} wantMore Called when the end comes into sight.
   */
  constructor(height, draw, wantMore) {
    this.height = height;
    this.draw = draw;
    this.wantMore = wantMore;
    /** @type {T[]} */
    this.items = [];
    /** @type {Map<string, { row: HTMLElement, shows: string }>} */
    this.drawn = new Map();
    this.room = el("div", { class: "nb-list-room", role: "list" });
    this.root = el("div", { class: "nb-list", tabindex: "0" }, this.room);
    this.root.addEventListener("scroll", () => this.show(), { passive: true });
    new ResizeObserver(() => this.show()).observe(this.root);
  }

  get length() {
    return this.items.length;
  }

  /** @param {T[]} items Take the place of what there was; what is in sight stays where it is, unless that is the top. */
  replace(items) {
    const { scrollTop } = this.root;
    const first = Math.floor(scrollTop / this.height);
    const seen = this.items.slice(first);
    this.items = [...items];
    this.grow();
    if (scrollTop > 0) {
      const places = new Map(items.map((item, index) => [item.id, index]));
      const moved = seen.findIndex((item) => places.has(item.id));
      const anchor = seen[moved];
      if (anchor) this.root.scrollTop += ((places.get(anchor.id) ?? 0) - first - moved) * this.height;
    }
    this.show();
  }

  /** @param {T[]} items Something else altogether: shown from its top. */
  begin(items) {
    this.root.scrollTop = 0;
    this.items = [...items];
    this.show();
  }

  /** @param {T[]} items */
  append(items) {
    this.items.push(...items);
    this.show();
  }

  grow() {
    this.room.style.height = `${this.items.length * this.height}px`;
  }

  show() {
    this.grow();
    const { scrollTop, clientHeight } = this.root;
    const first = Math.max(0, Math.floor(scrollTop / this.height) - BEYOND);
    const last = Math.min(this.items.length, Math.ceil((scrollTop + clientHeight) / this.height) + BEYOND);
    const wanted = new Map(this.items.slice(first, last).map((item) => [item.id, item]));
    for (const [id, { row, shows }] of this.drawn) {
      const item = wanted.get(id);
      if (item && JSON.stringify(item) === shows) continue;
      // Who goes through the list with the keyboard goes on from here, and not from the top of the page.
      if (row.contains(document.activeElement)) this.root.focus({ preventScroll: true });
      row.remove();
      this.drawn.delete(id);
    }
    let next = this.room.firstElementChild;
    for (let index = first; index < last; index += 1) {
      const item = this.items[index];
      if (!item) continue;
      const row = this.drawn.get(item.id)?.row ?? this.rowOf(item);
      row.style.top = `${index * this.height}px`;
      row.setAttribute("aria-posinset", String(index + 1));
      // In the order that is seen: it is the order of the Tab key.
      if (row === next) next = row.nextElementSibling;
      else this.room.insertBefore(row, next);
    }
    if (scrollTop + clientHeight > (this.items.length - BEYOND) * this.height) this.wantMore();
  }

  /** @param {T} item */
  rowOf(item) {
    const row = this.draw(item);
    row.setAttribute("role", "listitem");
    row.setAttribute("aria-setsize", "-1"); // how many there are in all isn't known before the end
    row.style.height = `${this.height}px`;
    this.drawn.set(item.id, { row, shows: JSON.stringify(item) });
    return row;
  }
}
