/**
 * A picture that can be enlarged and moved: with the wheel, by dragging, with buttons and keys. Until it is loaded its small copy
 * is shown in its place, as large as the picture will be once its size is known.
 */
import { el } from "../dom.mjs";

const STEP = 1.25;
const MOST = 16;

export class ZoomStage {
  /**
   * @param {() => void} changed Called once the size has changed, or is known.
   * @param {(state: "loading" | "here" | "failed") => void} loaded Called with each step of loading a picture.
   */
  constructor(changed, loaded) {
    this.changed = changed;
    this.loaded = loaded;
    this.image = this.imageOf("", "");
    this.root = el("div", { class: "nb-stage" }, this.image);
    /** Screen pixels per pixel of the picture; 0: as large as fits. */
    this.chosen = 0;
    this.x = 0;
    this.y = 0;
    this.root.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.root.addEventListener("dblclick", () => (this.chosen ? this.fit() : this.setScale(1)));
    this.root.addEventListener("pointerdown", (event) => this.drag(event));
    new ResizeObserver(() => this.update()).observe(this.root);
  }

  /** A new element for each picture: one that is used again has the size of the picture before for a while. @param {string} url @param {string} name */
  imageOf(url, name) {
    const made = el("img", { class: "nb-zoomed", draggable: "false", decoding: "async", alt: name });
    const end = (/** @type {"here" | "failed"} */ state) => {
      if (made !== this.image) return;
      this.root.removeAttribute("aria-busy");
      if (state === "here") this.root.style.backgroundImage = "";
      else made.classList.add("nb-broken");
      this.update();
      this.loaded(state);
    };
    made.addEventListener("load", () => end("here"));
    made.addEventListener("error", () => end("failed"));
    if (url) made.src = url;
    return made;
  }

  /** @param {string} url @param {string} name For screen readers. @param {string} small A small copy, shown until the picture is here. */
  show(url, name, small) {
    this.chosen = 0;
    const before = this.image;
    this.image = this.imageOf(url, name);
    before.replaceWith(this.image);
    this.root.style.backgroundImage = `url("${small}")`;
    this.root.setAttribute("aria-busy", "true");
    this.loaded("loading");
    this.update();
    this.awaitSize(this.image);
  }

  /** Gives the small copy the size of the picture as soon as that is known: it is at the beginning of the file. @param {HTMLImageElement} image */
  awaitSize(image) {
    if (image !== this.image || !this.isLoading) return;
    if (image.naturalWidth) this.update();
    else requestAnimationFrame(() => this.awaitSize(image));
  }

  /** Width and height of the picture in pixels; zeros until they are known. @returns {[number, number]} */
  get size() {
    return [this.image.naturalWidth, this.image.naturalHeight];
  }

  /** Whether it is still to come. */
  get isLoading() {
    return this.root.hasAttribute("aria-busy");
  }

  get fitting() {
    const [width, height] = this.size;
    return width && height ? Math.min(this.root.clientWidth / width, this.root.clientHeight / height, 1) : 1;
  }

  get scale() {
    return this.chosen || this.fitting;
  }

  fit() {
    this.chosen = 0;
    this.update();
  }

  larger() {
    this.setScale(this.scale * STEP);
  }

  smaller() {
    this.setScale(this.scale / STEP);
  }

  /** @param {number} scale @param {[number, number]} [around] What stays where it is, from the stage's corner; else its middle. */
  setScale(scale, around = [this.root.clientWidth / 2, this.root.clientHeight / 2]) {
    const before = this.scale;
    const after = Math.min(Math.max(scale, this.fitting), Math.max(MOST, this.fitting));
    this.x = around[0] - ((around[0] - this.x) * after) / before;
    this.y = around[1] - ((around[1] - this.y) * after) / before;
    this.chosen = after > this.fitting ? after : 0;
    this.update();
  }

  /** @param {number} x @param {number} y In screen pixels. */
  moveBy(x, y) {
    this.x += x;
    this.y += y;
    this.update();
  }

  update() {
    const [width, height] = this.size;
    const inside = (/** @type {number} */ at, /** @type {number} */ room, /** @type {number} */ length) =>
      length <= room ? (room - length) / 2 : Math.min(0, Math.max(room - length, at));
    this.x = inside(this.x, this.root.clientWidth, width * this.scale);
    this.y = inside(this.y, this.root.clientHeight, height * this.scale);
    this.image.style.transform = `translate(${this.x}px, ${this.y}px) scale(${this.scale})`;
    this.root.style.backgroundSize = width ? `${width * this.scale}px ${height * this.scale}px` : "";
    this.root.style.backgroundPosition = width ? `${this.x}px ${this.y}px` : "";
    this.root.classList.toggle("nb-movable", this.chosen > 0);
    this.changed();
  }

  /** @param {WheelEvent} event */
  wheel(event) {
    event.preventDefault();
    event.stopPropagation();
    const { left, top } = this.root.getBoundingClientRect();
    this.setScale(this.scale * (event.deltaY < 0 ? STEP : 1 / STEP), [event.clientX - left, event.clientY - top]);
  }

  /** @param {PointerEvent} start */
  drag(start) {
    if (start.button !== 0 || !this.chosen) return;
    start.preventDefault();
    this.root.setPointerCapture(start.pointerId);
    const move = (/** @type {PointerEvent} */ event) => this.moveBy(event.movementX, event.movementY);
    const end = () => {
      this.root.removeEventListener("pointermove", move);
      this.root.removeEventListener("pointerup", end);
      this.root.removeEventListener("pointercancel", end);
    };
    this.root.addEventListener("pointermove", move);
    this.root.addEventListener("pointerup", end);
    this.root.addEventListener("pointercancel", end);
  }
}
