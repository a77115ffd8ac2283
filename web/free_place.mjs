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
 * A place beside a node: in the column on that side of it where one is free and in view, or can be brought into view together with
 * the node; else below it or above it; else anywhere in view that is free.
 * @param {Comfy.Node} node @param {Size} size
 * @param {"left" | "right"} [side] Where the links go: what feeds a node is to its left.
 * @returns {Position}
 */
export function freePlaceBeside(node, size, side = "left") {
  const [x, y] = node.pos;
  const [width, height] = size;
  const columnX = side === "left" ? x - width - GAP : x + node.size[0] + GAP;
  const isFreeThere = (/** @type {Position} */ place) => isFree(node.graph, place, size, node);
  const column = Array.from({ length: MOST }, (_, index) => /** @type {Position} */ ([columnX, y + index * GAP])).filter(isFreeThere);
  /** @type {Position[]} */
  const others = [[x, y + node.size[1] + GAP + TITLE], [x, y - height - GAP], ...cornersOf(view(), size)];
  const found = column.find((place) => isIn(view(), place, size));
  if (found) return found;
  const [first] = column;
  if (first && bringIntoView(node, first, size)) return first;
  return others.filter(isFreeThere).find((place) => isIn(view(), place, size)) ?? first ?? [columnX, y + MOST * GAP];
}

/**
 * Moves the canvas sideways so far that a place at the side of a node is in view. Does nothing where that would take the node out
 * of view.
 * @param {Comfy.Node} node @param {Position} place @param {Size} size @returns {boolean} Whether it is in view.
 */
function bringIntoView(node, [x, y], [width, height]) {
  const [left, top, viewWidth, viewHeight] = view();
  const [from, to] = [Math.min(x, node.pos[0]), Math.max(x + width, node.pos[0] + node.size[0])];
  const isInRows = y - TITLE >= top && y + height <= top + viewHeight;
  if (!isInRows || to - from + GAP > viewWidth || node.pos[0] + node.size[0] < left || node.pos[0] > left + viewWidth) return false;
  const ds = app.canvas?.ds;
  if (!ds) return false;
  ds.offset[0] += from < left ? left - from + GAP / 2 : -(to - left - viewWidth + GAP / 2);
  app.canvas.setDirty?.(true, true);
  return true;
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

/**
 * Whether no node and no group stands there. A group that the node beside it is in counts as free.
 * @param {any} graph @param {Position} place @param {Size} size @param {Comfy.Node} [beside]
 */
function isFree(graph, [x, y], [width, height], beside) {
  const isClear = (/** @type {any} */ { pos, size }, /** @type {number} */ title) =>
    x + width < pos[0] || pos[0] + size[0] < x || y + height < pos[1] - title || pos[1] + size[1] < y - TITLE;
  const isAround = (/** @type {any} */ { pos, size }) =>
    beside && beside.pos[0] >= pos[0] && beside.pos[0] < pos[0] + size[0] && beside.pos[1] >= pos[1] && beside.pos[1] < pos[1] + size[1];
  const groups = (graph?.groups ?? []).filter((/** @type {any} */ each) => !isAround(each));
  return (graph?.nodes ?? []).every((/** @type {any} */ each) => isClear(each, TITLE)) && groups.every((/** @type {any} */ each) => isClear(each, 0));
}
