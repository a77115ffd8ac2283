/** Finds where a new node can stand: in view and over nothing where there is such a place. */
import { app } from "/scripts/app.js";

/** @typedef {[number, number]} Position Top left corner of a node below its title, on the canvas. */
/** @typedef {[number, number]} Size */
/** @typedef {[number, number, number, number]} View Left, top, width, height. */

const GAP = 60;
/** Room for a node's title above its position. */
const TITLE = 40;
/** So many places are tried in a column. */
const MOST = 60;

/**
 * A place beside a node: to its left, above, below or to its right, in the column to its left, else anywhere in view.
 * @param {Comfy.Node} node @param {Size} size
 * @param {"around" | "left"} [side] "left": in the column to its left before anywhere else, as what feeds it one by one.
 * @returns {Position}
 */
export function freePlaceBeside(node, [width, height], side = "around") {
  const [x, y] = node.pos;
  /** @type {Position[]} */
  const around = [
    [x - width - GAP, y],
    [x, y - height - GAP],
    [x, y + node.size[1] + GAP],
    [x + node.size[0] + GAP, y],
  ];
  const column = Array.from({ length: MOST }, (_, index) => /** @type {Position} */ ([x - width - GAP, y + index * GAP]));
  const visible = view();
  const places = [...(side === "left" ? [...column, ...around] : [...around, ...column]), ...cornersOf(visible, [width, height])];
  const free = places.filter((place) => isFree(node.graph, place, [width, height]));
  return free.find((place) => isIn(visible, place, [width, height])) ?? free[0] ?? [x - width - GAP, y];
}

/**
 * A place in the middle of what is in view, or as near to it as nothing stands.
 * @param {any} graph @param {Size} size @returns {Position}
 */
export function freePlaceInView(graph, [width, height]) {
  const [left, top, viewWidth, viewHeight] = view();
  const x = left + viewWidth / 2 - width / 2;
  const y = top + viewHeight / 2 - height / 2;
  /** @type {Position[]} */
  const places = [];
  for (let row = -2; row <= 2; row += 1) {
    for (let column = -3; column <= 3; column += 1) places.push([x + column * (width + GAP), y + row * (height + GAP)]);
  }
  const distance = (/** @type {Position} */ [a, b]) => Math.hypot(a - x, b - y);
  places.sort((one, other) => distance(one) - distance(other));
  return places.find((place) => isFree(graph, place, [width, height])) ?? [x, y];
}

/** What is in view, on the canvas: a panel of the sidebar lies over it. @returns {View} */
function view() {
  const [left = 0, top = 0, width = 0, height = 0] = app.canvas?.ds?.visible_area ?? [];
  const canvas = app.canvas?.canvas?.getBoundingClientRect();
  const covers = [...document.querySelectorAll(".side-bar-panel, .side-tool-bar-container")].map((each) => each.getBoundingClientRect());
  if (!canvas?.width) return [left, top, width, height];
  const middle = canvas.left + canvas.width / 2;
  const from = Math.max(canvas.left, ...covers.filter((each) => each.right < middle).map((each) => each.right));
  const to = Math.min(canvas.right, ...covers.filter((each) => each.left > middle).map((each) => each.left));
  const unit = width / canvas.width;
  return [left + (from - canvas.left) * unit, top, (to - from) * unit, height];
}

/** @param {View} visible @param {Size} size @returns {Position[]} */
function cornersOf([left, top, , viewHeight], [, height]) {
  return [
    [left + GAP / 2, top + GAP],
    [left + GAP / 2, top + viewHeight - height - GAP],
  ];
}

/** @param {View} visible @param {Position} place @param {Size} size */
function isIn([left, top, viewWidth, viewHeight], [x, y], [width, height]) {
  return x >= left && y - TITLE >= top && x + width <= left + viewWidth && y + height <= top + viewHeight;
}

/** Whether no node stands there. @param {any} graph @param {Position} place @param {Size} size */
function isFree(graph, [x, y], [width, height]) {
  return (graph?.nodes ?? []).every(
    (/** @type {any} */ each) =>
      x + width < each.pos[0] || each.pos[0] + each.size[0] < x || y + height < each.pos[1] - TITLE || each.pos[1] + each.size[1] < y - TITLE,
  );
}
