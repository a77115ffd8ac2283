/** The results that are known so far, the newest first, and the next ones page by page. */
import { ask } from "../server.mjs";

/** @typedef {import("../server.mjs").Result} Result */
/** @typedef {{ results: Result[], next: string | null, pictures?: number }} Page */

const FIRST_PAGE = 60;
const NEXT_PAGES = 200;

export class ResultPages {
  /** @param {() => URLSearchParams} filter What is asked for. @param {() => void} changed Called once `items` has changed. */
  constructor(filter, changed) {
    this.filter = filter;
    this.changed = changed;
    /** @type {Result[]} */
    this.items = [];
    /** How many pictures there are in all. */
    this.pictures = 0;
    /** @type {string | null} */
    this.next = null;
    this.loading = false;
    this.turn = 0;
  }

  async more() {
    if (this.next && !this.loading) await this.load("more");
  }

  /**
   * A load that another one has overtaken changes nothing. Fails with an ApiError.
   * @param {"begin" | "refresh" | "more"} how A refresh leaves everything where it is.
   */
  async load(how) {
    const turn = (this.turn += 1);
    this.loading = true;
    try {
      const query = this.filter();
      query.set("limit", String(how === "more" ? NEXT_PAGES : FIRST_PAGE));
      if (how === "more" && this.next) query.set("cursor", this.next);
      /** @type {Page} */
      const page = await ask(`/results?${query}`);
      if (turn !== this.turn) return;
      this.loading = false;
      this.pictures = page.pictures ?? this.pictures;
      if (how === "refresh") this.mergeNewestPage(page);
      else {
        this.next = page.next;
        this.items = how === "more" ? [...this.items, ...page.results] : page.results;
      }
      this.changed();
    } catch (error) {
      if (turn === this.turn) throw error;
    } finally {
      if (turn === this.turn) this.loading = false;
    }
  }

  /**
   * The newest page takes the place of what was known of its time; what is older stays, so that nobody who has scrolled
   * far down is thrown back.
   * @param {Page} page
   */
  mergeNewestPage({ results, next }) {
    const last = results.at(-1);
    const known = last && next ? this.items.findIndex((each) => each.id === last.id) : -1;
    if (known < 0) this.next = next;
    this.items = known < 0 ? results : [...results, ...this.items.slice(known + 1)];
  }

  /** Takes one out of the list. @param {string} id */
  remove(id) {
    this.items = this.items.filter((each) => each.id !== id);
    this.changed();
  }

  /** Something about one has changed. @param {Result} result */
  update(result) {
    this.items = this.items.map((each) => (each.id === result.id ? result : each));
    this.changed();
  }
}
