/**
 * A list of rows, of which only those in sight are elements: thousands scroll as smoothly as ten. All have one height, but
 * for the few that grow with their text: these are measured when they are drawn, and when the list's width changes.
 * A row that hasn't changed keeps its element, so that a refresh loses neither the focus nor a picture.
 */
import { el } from "./dom.mjs";

/** Rows that are kept above and below what is in sight. */
const OVERSCAN_ROWS = 6;

/** @template {{ id: string }} T */
export class VirtualList {
  /**
   * @param {number} height Of a row, in CSS pixels.
   * @param {(item: T) => HTMLElement} draw
   * @param {() => void} wantMore Called when the end comes into sight.
   * @param {(item: T) => boolean} grows Whether an item's row may be higher than `height`.
   */
  constructor(height, draw, wantMore, grows = () => false) {
    this.height = height;
    this.draw = draw;
    this.wantMore = wantMore;
    this.grows = grows;
    /** Id -> how much higher than `height` a row was when it was last measured. @type {Map<string, number>} */
    this.extra = new Map();
    /** Position of each row that grows, in order. @type {{ index: number, id: string }[]} */
    this.growing = [];
    this.width = 0;
    /** @type {T[]} */
    this.items = [];
    /** @type {Map<string, { row: HTMLElement, shows: string }>} */
    this.drawn = new Map();
    this.room = el("div", { class: "nb-list-room", role: "list" });
    this.root = el("div", { class: "nb-list", tabindex: "0" }, this.room);
    this.root.addEventListener("scroll", () => this.show(), { passive: true });
    new ResizeObserver(() => {
      if (this.root.clientWidth !== this.width) this.measure([...this.drawn.values()].map(({ row }) => row));
      this.width = this.root.clientWidth;
      this.show();
    }).observe(this.root);
  }

  get length() {
    return this.items.length;
  }

  /** @param {T[]} items Take the place of what there was; what is in sight stays where it is, unless that is the top. */
  replace(items) {
    const { scrollTop } = this.root;
    const first = this.indexAt(scrollTop);
    const places = new Map(items.map((item, index) => [item.id, index]));
    const moved = scrollTop > 0 ? this.items.slice(first).findIndex((item) => places.has(item.id)) : -1;
    const anchor = moved < 0 ? undefined : this.items[first + moved];
    const before = this.top(first + moved);
    this.take([...items]);
    this.setHeight();
    if (anchor) this.root.scrollTop += this.top(places.get(anchor.id) ?? 0) - before;
    this.show();
  }

  /** @param {T[]} items Something else altogether: shown from its top. */
  reset(items) {
    this.root.scrollTop = 0;
    this.take([...items]);
    this.show();
  }

  /** @param {T[]} items */
  append(items) {
    this.take([...this.items, ...items]);
    this.show();
  }

  /** @param {T[]} items */
  take(items) {
    this.items = items;
    this.growing = items.flatMap((item, index) => (this.grows(item) ? [{ index, id: item.id }] : []));
  }

  setHeight() {
    this.room.style.height = `${this.top(this.items.length)}px`;
  }

  /** Where a row begins, in CSS pixels from the list's own top. @param {number} index */
  top(index) {
    let top = index * this.height;
    for (const each of this.growing) {
      if (each.index >= index) break;
      top += this.extra.get(each.id) ?? 0;
    }
    return top;
  }

  /** Which row is at a height. @param {number} y */
  indexAt(y) {
    let low = 0;
    let high = this.items.length;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.top(middle) <= y) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Measures rows that may have grown. What is in sight stays where it is. @param {HTMLElement[]} rows */
  measure(rows) {
    let moved = 0;
    for (const row of rows) {
      const id = row.dataset["id"] ?? "";
      const { index } = this.growing.find((each) => each.id === id) ?? {};
      if (index === undefined) continue;
      const more = Math.max(0, row.offsetHeight - this.height);
      const change = more - (this.extra.get(id) ?? 0);
      if (change && this.top(index + 1) <= this.root.scrollTop) moved += change;
      this.extra.set(id, more);
    }
    this.setHeight();
    if (moved) this.root.scrollTop += moved;
  }

  show() {
    this.setHeight();
    const { scrollTop, clientHeight } = this.root;
    const first = Math.max(0, this.indexAt(scrollTop) - OVERSCAN_ROWS);
    const last = Math.min(this.items.length, this.indexAt(scrollTop + clientHeight) + 1 + OVERSCAN_ROWS);
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
    /** @type {HTMLElement[]} */
    const rows = [];
    /** @type {HTMLElement[]} */
    const fresh = [];
    for (const item of wanted.values()) {
      const known = this.drawn.get(item.id)?.row;
      const row = known ?? this.rowOf(item);
      rows.push(row);
      if (!known && this.grows(item)) fresh.push(row);
      // In the order that is seen: it is the order of the Tab key.
      if (row === next) next = row.nextElementSibling;
      else this.room.insertBefore(row, next);
    }
    if (fresh.length) this.measure(fresh);
    rows.forEach((row, place) => {
      row.style.top = `${this.top(first + place)}px`;
      row.setAttribute("aria-posinset", String(first + place + 1));
    });
    if (scrollTop + clientHeight > this.top(this.items.length - OVERSCAN_ROWS)) this.wantMore();
  }

  /** @param {T} item */
  rowOf(item) {
    const row = this.draw(item);
    row.setAttribute("role", "listitem");
    row.setAttribute("aria-setsize", "-1"); // how many there are in all isn't known before the end
    row.dataset["id"] = item.id;
    row.style[this.grows(item) ? "minHeight" : "height"] = `${this.height}px`;
    this.drawn.set(item.id, { row, shows: JSON.stringify(item) });
    return row;
  }
}
