/** A picture that can be enlarged and moved: with the wheel, by dragging, with buttons and keys. */
import { el } from "../dom.mjs";

const STEP = 1.25;
const MOST = 16;

export class ZoomStage {
  /** @param {() => void} changed Called once the size has changed, or is known. */
  constructor(changed) {
    this.changed = changed;
    this.image = el("img", { class: "nb-zoomed", draggable: "false", decoding: "async" });
    this.root = el("div", { class: "nb-stage" }, this.image);
    /** Screen pixels per pixel of the picture; 0: as large as fits. */
    this.chosen = 0;
    this.x = 0;
    this.y = 0;
    this.image.addEventListener("load", () => {
      this.ready();
      this.update();
    });
    this.image.addEventListener("error", () => this.ready());
    this.root.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.root.addEventListener("dblclick", () => (this.chosen ? this.fit() : this.setScale(1)));
    this.root.addEventListener("pointerdown", (event) => this.drag(event));
    new ResizeObserver(() => this.update()).observe(this.root);
  }

  ready() {
    this.root.removeAttribute("aria-busy");
    this.root.style.backgroundImage = "";
  }

  /** @param {string} url @param {string} name For screen readers. @param {string} small A small copy, shown until the picture is here. */
  show(url, name, small) {
    this.chosen = 0;
    this.root.style.backgroundImage = `url("${small}")`;
    this.root.setAttribute("aria-busy", "true");
    this.image.alt = name;
    this.image.src = url;
  }

  /** Width and height of the picture in pixels; zeros until it is here. @returns {[number, number]} */
  get size() {
    return this.image.complete ? [this.image.naturalWidth, this.image.naturalHeight] : [0, 0];
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
