/**
 * The price in a node's title bar, where the host shows the prices of its own partner nodes; also when the node is collapsed.
 * Nodes 2.0 shows a badge there only if it has the icon of the host's own; other badges are in the node's body.
 */
import { app } from "/scripts/app.js";
import { isVue } from "./canvas_events.mjs";
import { hostSetting, onHostSetting } from "./host_settings.mjs";

/** As the host's own price badge. */
const COLOUR = { dark: "#8D6932", light: "#d9b27c" };
/** What each node's badge says. @type {WeakMap<Comfy.Node, string>} */
const texts = new WeakMap();
/** The image of the host's badge; null where the host has none. @type {unknown} */
let hostIcon;
/**
 * Nodes 2.0 draws a badge again when something reactive changes that the badge has read: a number of ours in the frontend's store.
 * @returns {{ nanoBananaPrices?: number }}
 */
const store = () => /** @type {any} */ (app.extensionManager);

/** Gives a node that was just made its badge, behind the host's own: the first one has another place. @param {Comfy.Node} node */
export function addPriceBadge(node) {
  const Badge = /** @type {any} */ (window).LGraphBadge;
  const badges = /** @type {{ badges?: unknown[] }} */ (node).badges;
  if (!Badge || !badges) return;
  const add = () => badges.push(() => badgeOf(node, Badge));
  // At once where the host's own is there: Nodes 2.0 look at the badges of a new node once.
  if (badges.length) add();
  else queueMicrotask(add);
}

/** @param {Comfy.Node} node @param {string} text "" for no badge. */
export function showPriceBadge(node, text) {
  if ((texts.get(node) ?? "") === text) return;
  texts.set(node, text);
  drawAgain();
  node.graph?.setDirtyCanvas?.(true, true);
}

function drawAgain() {
  store().nanoBananaPrices = (store().nanoBananaPrices ?? 0) + 1;
}
onHostSetting(drawAgain);

/** @param {Comfy.Node} node @param {any} Badge */
function badgeOf(node, Badge) {
  const changed = store().nanoBananaPrices;
  // Nodes 2.0 keep the badges of a node that another one with the same id has replaced.
  const graph = app.canvas?.graph;
  const shown = /** @type {Comfy.Node} */ ((isVue() && (!node.graph || node.graph === graph) && graph?.getNodeById(node.id)) || node);
  const text = changed === undefined ? "" : (texts.get(shown) ?? "");
  const hidden = hostSetting("Comfy.NodeBadge.ShowApiPricing") === false;
  const light = hostSetting("Comfy.ColorPalette") === "light";
  // Nodes 2.0 part a badge at its first space and show no space there.
  const unparted = isVue() ? text.replaceAll(" ", "\u00a0") : text;
  const badge = new Badge({ text: hidden ? "" : unparted, fgColor: light ? "#222" : "#fff", bgColor: light ? COLOUR.light : COLOUR.dark });
  // A badge with that icon inside of a subgraph would make the subgraph node one with "Partner Nodes".
  if (badge.text && isVue() && shown.graph === graph) badge.icon = iconOfHost() ?? badge.icon;
  return badge;
}

/**
 * The icon of the host's own price badge. The part of the host that gives partner nodes their badge is asked to give one to an
 * object that stands for a partner node, so that no partner nodes need to be there.
 */
function iconOfHost() {
  if (hostIcon !== undefined) return hostIcon;
  hostIcon = null;
  const node = { constructor: { nodeData: { api_node: true, name: "" } }, badges: /** @type {any[]} */ ([]), widgets: [], inputs: [] };
  try {
    const extensions = /** @type {any[]} */ (/** @type {any} */ (app).extensions ?? []);
    extensions.find((each) => each.name === "Comfy.NodeBadge")?.nodeCreated?.(node, app);
    for (const each of node.badges.slice(1)) {
      const badge = typeof each === "function" ? each() : each;
      if (badge?.icon?.image) hostIcon = badge.icon;
    }
  } catch (error) {
    console.debug("Nano Banana:", error);
  }
  return hostIcon;
}
