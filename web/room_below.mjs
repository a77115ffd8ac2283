/** Moves the nodes below one that has grown under a person's hand, so that it covers none of them, and back when it shrinks. */

const GAP = 10;
const TITLE = 30;

/** @typedef {{ node: Comfy.Node, from: number, to: number }} Move From where a node was moved down, and to where. */

/** What was moved for a node. @type {WeakMap<Comfy.Node, Move[]>} */
const moves = new WeakMap();

/** @param {Comfy.Node} node That has grown. @param {number} before Its height before. */
export function makeRoomBelow(node, before) {
  const [top, height] = [node.pos[1], node.size[1]];
  const others = /** @type {Comfy.Node[]} */ (node.graph?.nodes ?? []).filter((each) => each !== node);
  const covered = others.filter((each) => inColumn(each, node) && topOf(each) >= top + before - GAP && topOf(each) < top + height + GAP);
  const shift = top + height + GAP - Math.min(...covered.map(topOf));
  if (!covered.length || shift <= 0) return;
  const moved = new Set(covered);
  // What is below them moves along: it would be covered by them.
  for (const each of others.sort((one, other) => topOf(one) - topOf(other))) {
    if ([...moved].some((above) => above !== each && inColumn(each, above) && topOf(each) >= topOf(above))) moved.add(each);
  }
  moves.set(node, [...moved].map((each) => ({ node: each, from: each.pos[1], to: each.pos[1] + shift })));
  for (const { node: each, to } of moves.get(node) ?? []) each.pos = [each.pos[0], to];
}

/** Moves back what was moved for a node, unless somebody has moved it since. @param {Comfy.Node} node */
export function giveRoomBack(node) {
  for (const { node: each, from, to } of moves.get(node) ?? []) {
    if (each.graph === node.graph && each.pos[1] === to) each.pos = [each.pos[0], from];
  }
  moves.delete(node);
}

/** @param {Comfy.Node} node */
const topOf = (node) => node.pos[1] - TITLE;

/** Whether two nodes are above each other. @param {Comfy.Node} one @param {Comfy.Node} other */
const inColumn = (one, other) => one.pos[0] < other.pos[0] + other.size[0] && one.pos[0] + one.size[0] > other.pos[0];
