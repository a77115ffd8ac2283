/**
 * A list of rows and tiles, of which only those in sight are elements: thousands scroll as smoothly as ten. Tiles stand beside
 * each other, as many as the width takes; a row takes the whole width. Rows that grow with their text are measured when they
 * are drawn, and when the list's width changes. What hasn't changed keeps its element, so that a refresh loses neither the
 * focus nor a picture.
 */
import { el } from "./dom.mjs";

/** What is kept above and below what is in sight, in CSS pixels. */
const OVERSCAN = 876;
const GAP = 8;

/** @typedef {{ height: number, grows?: boolean } | "tile"} Shape Height in CSS pixels. */
/** @typedef {{ top: number, height: number, first: number, count: number }} Line Items that stand beside each other. */

/** @template {{ id: string }} T */
export class VirtualList {
  /**
   * @param {object} facts
   * @param {(item: T) => HTMLElement} facts.draw
   * @param {() => void} facts.wantMore Called when the end comes into sight.
   * @param {(item: T) => Shape} facts.shape
   * @param {{ width: number, below: number }} [facts.tile] The least width of a tile, and how much higher than wide it is.
   * @param {(element: HTMLElement, item: T) => void} [facts.placed] Called for all that is in sight.
   */
  constructor({ draw, wantMore, shape, tile = { width: 140, below: 0 }, placed = () => undefined }) {
    this.draw = draw;
    this.wantMore = wantMore;
    this.shape = shape;
    this.tile = tile;
    this.placed = placed;
    /** Id -> how much higher than its shape says a row was when it was last measured. @type {Map<string, number>} */
    this.extra = new Map();
    this.width = 0;
    this.columns = 1;
    /** @type {T[]} */
    this.items = [];
    /** @type {Line[]} */
    this.lines = [];
    /** Item -> its line. @type {number[]} */
    this.lineOf = [];
    /** Id -> position, of the rows that grow. @type {Map<string, number>} */
    this.growing = new Map();
    this.height = 0;
    /** `item` as it was last drawn or found unchanged, `shows` its JSON. @type {Map<string, { element: HTMLElement, item: T, shows: string }>} */
    this.drawn = new Map();
    this.room = el("div", { class: "nb-list-room", role: "list" });
    this.root = el("div", { class: "nb-list", tabindex: "0" }, this.room);
    this.root.addEventListener("scroll", () => this.show(), { passive: true });
    new ResizeObserver(() => this.resized()).observe(this.root);
  }

  get length() {
    return this.items.length;
  }

  /** @param {T[]} items Take the place of what there was; what is in sight stays where it is, unless that is the top. */
  replace(items) {
    const keep = this.anchor();
    this.items = [...items];
    this.arrange();
    keep();
    this.show();
  }

  /** @param {T[]} items Something else altogether: shown from its top. */
  reset(items) {
    this.root.scrollTop = 0;
    this.items = [...items];
    this.arrange();
    this.show();
  }

  /** Everything is drawn anew: the same items look otherwise now. */
  redraw() {
    for (const { element } of this.drawn.values()) element.remove();
    this.drawn.clear();
    this.extra.clear();
    this.arrange();
    this.show();
  }

  /** Brings an item into sight and draws it. @param {number} index @returns {HTMLElement | undefined} */
  reveal(index) {
    const line = this.lines[this.lineOf[index] ?? -1];
    if (!line) return undefined;
    const { scrollTop, clientHeight } = this.root;
    if (line.top < scrollTop) this.root.scrollTop = line.top;
    else if (line.top + line.height > scrollTop + clientHeight) this.root.scrollTop = line.top + line.height - clientHeight;
    this.show();
    return this.drawn.get(this.items[index]?.id ?? "")?.element;
  }

  /** Which item is at the top of what is in sight. */
  firstInSight() {
    return this.lines[this.lineAt(this.root.scrollTop)]?.first ?? 0;
  }

  resized() {
    const { clientWidth } = this.root;
    if (clientWidth !== this.width) {
      const keep = this.anchor();
      this.width = clientWidth;
      this.arrange();
      keep();
      this.measure([...this.drawn.values()].map(({ element }) => element));
    }
    this.show();
  }

  /** Remembers what is at the top; the result brings it back there. */
  anchor() {
    const { scrollTop } = this.root;
    const first = this.firstInSight();
    const known = this.items.slice(first);
    const before = known.map((_, place) => this.topOf(first + place));
    return () => {
      if (scrollTop <= 0) return;
      const places = new Map(this.items.map((item, index) => [item.id, index]));
      const kept = known.findIndex((item) => places.has(item.id));
      const item = known[kept];
      if (item) this.root.scrollTop = scrollTop + this.topOf(places.get(item.id) ?? 0) - (before[kept] ?? 0);
    };
  }

  /** Puts the items into lines. */
  arrange() {
    this.columns = Math.max(1, Math.floor((this.width + GAP) / (this.tile.width + GAP)));
    const tileHeight = Math.floor(this.tileWidth()) + this.tile.below + GAP;
    this.lines = [];
    this.lineOf = [];
    this.growing.clear();
    let top = 0;
    let tiles = 0;
    this.items.forEach((item, index) => {
      const shape = this.shape(item);
      const height = shape === "tile" ? tileHeight : shape.height + (this.extra.get(item.id) ?? 0);
      if (shape !== "tile" && shape.grows) this.growing.set(item.id, index);
      const last = this.lines.at(-1);
      tiles = shape === "tile" ? tiles + 1 : 0;
      if (last && tiles > 1 && last.count < this.columns) last.count += 1;
      else {
        if (tiles) tiles = 1;
        this.lines.push({ top, height, first: index, count: 1 });
        top += height;
      }
      this.lineOf.push(this.lines.length - 1);
    });
    this.height = top;
    this.room.style.height = `${top}px`;
  }

  tileWidth() {
    return (this.width - (this.columns - 1) * GAP) / this.columns;
  }

  /** Where an item's line begins, in CSS pixels from the list's own top. @param {number} index */
  topOf(index) {
    return this.lines[this.lineOf[index] ?? -1]?.top ?? this.height;
  }

  /** Which line is at a height. @param {number} y */
  lineAt(y) {
    let low = 0;
    let high = Math.max(0, this.lines.length - 1);
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((this.lines[middle]?.top ?? 0) <= y) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Measures rows that may have grown. What is in sight stays where it is. @param {HTMLElement[]} elements */
  measure(elements) {
    let moved = 0;
    let changed = false;
    for (const element of elements) {
      const id = element.dataset["id"] ?? "";
      const index = this.growing.get(id);
      const item = index === undefined ? undefined : this.items[index];
      const shape = item && this.shape(item);
      if (index === undefined || !shape || shape === "tile") continue;
      const more = Math.max(0, element.offsetHeight - shape.height);
      const change = more - (this.extra.get(id) ?? 0);
      if (!change) continue;
      changed = true;
      const line = this.lines[this.lineOf[index] ?? -1];
      if (line && line.top + line.height <= this.root.scrollTop) moved += change;
      this.extra.set(id, more);
    }
    if (changed) this.arrange();
    if (moved) this.root.scrollTop += moved;
  }

  show() {
    const { scrollTop, clientHeight } = this.root;
    const from = this.lines[this.lineAt(scrollTop - OVERSCAN)];
    const to = this.lines[this.lineAt(scrollTop + clientHeight + OVERSCAN)];
    const first = from?.first ?? 0;
    const wanted = new Map(this.items.slice(first, to ? to.first + to.count : 0).map((item) => [item.id, item]));
    this.removeUnwanted(wanted);
    let next = this.room.firstElementChild;
    /** @type {HTMLElement[]} */
    const elements = [];
    /** @type {HTMLElement[]} */
    const fresh = [];
    for (const item of wanted.values()) {
      const known = this.drawn.get(item.id)?.element;
      const element = known ?? this.elementOf(item);
      elements.push(element);
      if (!known) fresh.push(element);
      // In the order that is seen: it is the order of the Tab key.
      if (element === next) next = element.nextElementSibling;
      else this.room.insertBefore(element, next);
    }
    if (fresh.length) this.measure(fresh);
    elements.forEach((element, place) => this.place(element, first + place));
    if (scrollTop + clientHeight > this.height - OVERSCAN) this.wantMore();
  }

  /** @param {Map<string, T>} wanted */
  removeUnwanted(wanted) {
    for (const [id, drawn] of this.drawn) {
      const { element } = drawn;
      const item = wanted.get(id);
      if (item === drawn.item) continue; // as while the list scrolls
      if (item && JSON.stringify(item) === drawn.shows) {
        drawn.item = item;
        continue;
      }
      // Who goes through the list with the keyboard goes on from here, and not from the top of the page.
      if (element.contains(document.activeElement)) this.root.focus({ preventScroll: true });
      element.remove();
      this.drawn.delete(id);
    }
  }

  /** @param {HTMLElement} element @param {number} index */
  place(element, index) {
    const line = this.lines[this.lineOf[index] ?? -1];
    const item = this.items[index];
    if (!line || !item) return;
    const isTile = this.shape(item) === "tile";
    element.style.top = `${line.top}px`;
    element.style.left = isTile ? `${(index - line.first) * (this.tileWidth() + GAP)}px` : "";
    element.style.width = isTile ? `${this.tileWidth()}px` : "";
    if (isTile) element.style.height = `${line.height - GAP}px`;
    element.setAttribute("aria-posinset", String(index + 1));
    this.placed(element, item);
  }

  /** @param {T} item */
  elementOf(item) {
    const element = this.draw(item);
    const shape = this.shape(item);
    element.setAttribute("role", "listitem");
    element.setAttribute("aria-setsize", "-1"); // how many there are in all isn't known before the end
    element.dataset["id"] = item.id;
    if (shape !== "tile") element.style[shape.grows ? "minHeight" : "height"] = `${shape.height}px`;
    this.drawn.set(item.id, { element, item, shows: JSON.stringify(item) });
    return element;
  }
}
