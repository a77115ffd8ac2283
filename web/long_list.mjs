/**
 * A list of rows of one height, of which only those in sight are elements: thousands scroll as smoothly as ten.
 */
import { el } from "./element.mjs";

/** Rows that are kept above and below what is in sight. */
const BEYOND = 6;

/** @template T */
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
    /** @type {Map<number, HTMLElement>} */
    this.drawn = new Map();
    this.room = el("div", { class: "nb-list-room", role: "list" });
    this.root = el("div", { class: "nb-list", tabindex: "0" }, this.room);
    this.root.addEventListener("scroll", () => this.show(), { passive: true });
    new ResizeObserver(() => this.show()).observe(this.root);
  }

  get length() {
    return this.items.length;
  }

  /** @param {T[]} items Takes the place of what there was; what is in sight stays where it is. */
  replace(items) {
    this.items = [...items];
    for (const row of this.drawn.values()) row.remove();
    this.drawn.clear();
    this.show();
  }

  /** @param {T[]} items */
  append(items) {
    this.items.push(...items);
    this.show();
  }

  show() {
    const { scrollTop, clientHeight } = this.root;
    this.room.style.height = `${this.items.length * this.height}px`;
    const first = Math.max(0, Math.floor(scrollTop / this.height) - BEYOND);
    const last = Math.min(this.items.length, Math.ceil((scrollTop + clientHeight) / this.height) + BEYOND);
    for (const [index, row] of this.drawn) {
      if (index < first || index >= last) {
        row.remove();
        this.drawn.delete(index);
      }
    }
    for (let index = first; index < last; index += 1) {
      const item = this.items[index];
      if (this.drawn.has(index) || item === undefined) continue;
      const row = this.draw(item);
      row.setAttribute("role", "listitem");
      row.style.top = `${index * this.height}px`;
      row.style.height = `${this.height}px`;
      this.drawn.set(index, row);
      this.room.append(row);
    }
    if (scrollTop + clientHeight > (this.items.length - BEYOND) * this.height) this.wantMore();
  }
}
