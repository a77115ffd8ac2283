/**
 * Divides a node's height in the classic canvas. The prompt keeps its height whatever is shown below it; notes and the host's
 * picture of the result take the room below the widgets. The node becomes higher where that is too little: for a picture only
 * where it has no room at all, and as far as no other node is covered; notes that have no room then scroll. What is saved is the
 * height without that.
 */
import { isAdvanced } from "./advanced_widgets.mjs";
import { isVue } from "./canvas_events.mjs";
import { widgetOf } from "./graph.mjs";
import { labelPreviews } from "./true_sizes.mjs";

const PREVIEW = "$$canvas-image-preview";
const WIDGET_ROW = 24;
const FOOTER_ROWS = 60;
const PROMPT = { least: 50, enough: 72, share: 0.3 };
/** Heights of the host's picture: where the node grows for it, and the least at which it is shown. */
const PICTURE = { wanted: 220, least: 60 };
const GAP = 10;
const TITLE = 30;

/** @typedef {NonNullable<Comfy.Node["widgets"]>[number]} Widget */
/**
 * @typedef {{ state: () => string, fold: () => void, hiddenNotes: () => number, limitNotes: (missing: number) => number }} Parts
 *   `state`: of what decides about the heights elsewhere; `fold` decides which widgets are shown; `hiddenNotes`: the height of
 *   notes that is out of sight now; `limitNotes` gives them up to so much less height than they need, and says how much less.
 */

/** @param {Comfy.Node} node That was just made. @param {Parts} parts */
export function addClassicLayout(node, { state, fold, hiddenNotes, limitNotes }) {
  /** The height that is saved, and what was set last. */
  let [own, whole] = [node.size[1], node.size[1]];
  let [promptHeight, pictureHeight] = [0, 0];
  let mayGrow = true;
  /** Loaded and not laid out since: the host makes a node as high as its widgets when it first draws it. */
  let loaded = false;
  let seen = "";
  /** @type {WeakSet<Widget>} */
  const wrapped = new WeakSet();
  const prompt = widgetOf(node, "prompt");
  if (prompt) /** @type {any} */ (prompt.options).getMaxHeight = () => promptHeight || undefined;

  /** Widgets with a height of their own choice take what they need: what is left belongs to the prompt and the picture. */
  const limitHeights = () => {
    for (const widget of node.widgets ?? []) {
      const compute = widget.computeLayoutSize?.bind(widget);
      if (!compute || widget === prompt || wrapped.has(widget)) continue;
      wrapped.add(widget);
      widget.computeLayoutSize = (/** @type {any} */ given) => {
        const size = compute(given);
        if (isVue()) return size;
        if (widget.name === PREVIEW) return { ...size, minHeight: 0, maxHeight: pictureHeight };
        return { ...size, maxHeight: size.minHeight };
      };
    }
  };

  const isAsSet = () => node.size[1] === whole || (loaded && node.size[1] > whole);

  const update = () => {
    fold();
    if (isVue()) {
      loaded = false;
      limitNotes(0);
      return;
    }
    if (!node.widgets?.length || !node.graph) return;
    limitHeights();
    const start = node.widgets[0]?.y ?? 0;
    if (!start) return; // not drawn yet
    const picture = widgetOf(node, PREVIEW);
    if (!picture) mayGrow = true;
    // A person has made it so: it doesn't grow again under the hand that makes it smaller.
    if (!isAsSet()) [own, mayGrow] = [node.size[1], false];
    loaded = false;
    const others = node.widgets.filter((widget) => widget !== prompt && widget !== picture);
    const always = others.filter((widget) => !isAdvanced(widget) && !widget.computeLayoutSize);
    promptHeight = prompt ? promptRoom(own - start - sum(always, heightOf(node)) - FOOTER_ROWS) : 0;
    const everything = Math.ceil(start + promptHeight + sum(others.filter((widget) => !widget.hidden), heightOf(node))) + hiddenNotes();
    const missing = Math.max(0, everything - Math.max(own, freeBottom(node, own)));
    const needed = everything - limitNotes(missing);
    let bottom = Math.max(own, needed);
    if (picture && mayGrow && bottom - needed < PICTURE.least) {
      const free = Math.min(needed + PICTURE.wanted, freeBottom(node, bottom));
      if (free - needed >= PICTURE.least) bottom = free;
    }
    pictureHeight = bottom - needed;
    if (picture) picture.hidden = pictureHeight < PICTURE.least;
    whole = bottom;
    if (node.size[1] !== whole) node.setSize([node.size[0], whole]);
    whole = node.size[1];
    node.graph.setDirtyCanvas?.(true, true);
  };

  const serialized = node.onSerialize;
  node.onSerialize = function (saved) {
    serialized?.call(this, saved);
    if (!isVue() && isAsSet()) saved.size = [saved.size[0], own];
  };
  const configured = node.onConfigure;
  node.onConfigure = function (saved) {
    configured?.call(this, saved);
    [own, whole, mayGrow] = [node.size[1], node.size[1], true];
    update();
    loaded = !isVue() && !node.widgets?.[0]?.y;
  };
  const added = node.addCustomWidget;
  node.addCustomWidget = /** @type {typeof added} */ (
    /** @this {Comfy.Node} @param {any} widget */
    function (widget) {
      const made = added.call(this, widget);
      update(); // before the host gives it room
      return made;
    }
  );
  const current = () => [state(), node.size.join(), node.widgets?.length, node.widgets?.[0]?.y].join();
  const drawn = node.onDrawBackground;
  node.onDrawBackground = function (...given) {
    drawn?.apply(this, given);
    labelPreviews(node);
    if (isVue() || current() === seen) return;
    update();
    seen = current();
  };
  return update;
}

/** @param {Widget[]} widgets @param {(widget: Widget) => number} height */
const sum = (widgets, height) => widgets.reduce((all, widget) => all + height(widget), 0);

/** @param {Comfy.Node} node @returns {(widget: Widget) => number} */
const heightOf = (node) => (widget) => {
  if (widget.computeSize) return widget.computeSize(node.size[0])[1] + 4;
  return widget.computeLayoutSize?.(/** @type {any} */ (node)).minHeight ?? WIDGET_ROW;
};

/** The prompt's height on a node that has room for it and for what is shown below the widgets. @param {number} room */
const promptRoom = (room) =>
  Math.floor(Math.max(PROMPT.least, Math.min(room, Math.max(PROMPT.enough, room * PROMPT.share))));

/** How far down a node may reach without covering another one. @param {Comfy.Node} node @param {number} height */
function freeBottom(node, height) {
  const [left, top] = node.pos;
  const others = /** @type {Comfy.Node[]} */ (node.graph?.nodes ?? []).filter((each) => each !== node);
  const below = others
    .filter(({ pos, size }) => pos[0] < left + node.size[0] + GAP && pos[0] + size[0] > left - GAP)
    .map(({ pos }) => pos[1] - TITLE - GAP - top)
    .filter((space) => space > height - TITLE);
  return Math.min(Infinity, ...below);
}
