/** Makes Load Image nodes, the host's nodes for files among its inputs. */
import { widgetOf } from "./graph.mjs";

/** The room of a LoadImage node with its picture. @type {[number, number]} */
export const LOAD_IMAGE_SIZE = [320, 320];

/** @param {import("./graph.mjs").Graph} graph @param {string} name Of a file among the inputs. @param {[number, number]} at Its top left corner. @returns {any} */
export function addLoadImage(graph, name, at) {
  const node = /** @type {any} */ (window).LiteGraph.createNode("LoadImage");
  node.pos = at;
  // From the start: what is placed beside it before its picture has come would be covered by it.
  const [width, height] = LOAD_IMAGE_SIZE;
  node.setSize([Math.max(width, node.size[0]), Math.max(height, node.size[1])]);
  graph.add(node);
  setFile(node, name);
  return node;
}

/** @param {any} node A LoadImage. @param {string} name */
export function setFile(node, name) {
  const widget = /** @type {any} */ (widgetOf(node, "image"));
  const values = widget?.options?.values;
  if (Array.isArray(values) && !values.includes(name)) values.push(name);
  if (!widget) return;
  widget.value = name;
  widget.callback?.(name);
}
