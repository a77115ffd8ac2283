/**
 * Asks before a run that would not do what the graph was saved for: where a node comes from a newer version, or lost a link.
 * Each such state of a node is asked about once, until the page is loaded again.
 */
import { app } from "/scripts/app.js";
import { button, el } from "./dom.mjs";
import { openDialog } from "./dialog.mjs";
import { idsNeededBy, ourNodes } from "./graph.mjs";
import { isOutputClass, nodesForPreviews } from "./output_nodes.mjs";
import { beforeRuns } from "./queue_mode.mjs";
import { forgetLostLinks, lostLinks } from "./sockets.mjs";
import { unknownInputs, unknownText } from "./newer_version.mjs";
import { t } from "./i18n.mjs";

/** @typedef {{ node: Comfy.Node, path: string, doubts: string[] }} Doubtful */

/** What the user has agreed to. @type {Set<string>} */
const agreed = new Set();
/** The question that is open. @type {Promise<boolean> | null} */
let asking = null;

/** Whether the user knows what a node of a newer version loses here. @param {Comfy.Node} node */
export const isAgreed = (node) => agreed.has(agreementKey(node));

/** @param {Comfy.Node} node Runs it without what this version doesn't know, and without the links that it lost. */
export function agree(node) {
  agreed.add(agreementKey(node));
  forgetLostLinks(node);
}

/** @param {Comfy.Node} node */
const agreementKey = (node) =>
  JSON.stringify([app.rootGraph.id, node.graph?.id, node.id, unknownText(unknownInputs(node))]);

/** What the user has to know before a node runs. @param {Comfy.Node} node @returns {string[]} */
function doubtsAbout(node) {
  const found = [];
  const inputs = unknownInputs(node);
  if (inputs.length && !isAgreed(node)) found.push(t("newer.inputs", { inputs: unknownText(inputs) }));
  const links = lostLinks(node);
  if (links.length) found.push(lostText(links));
  return found;
}

/** @param {string[]} links Names of inputs. */
export function lostText(links) {
  const names = links.slice(0, 20).map((name) => name.replace("images.", "").slice(0, 60));
  return t("links.lost", { n: links.length, inputs: names.join(", ") });
}

/** Every run of the page goes through here from now on. */
export const askBeforeRuns = () => beforeRuns(mayRun);

/** @param {string[] | undefined} targets Ids of the nodes that are asked for; undefined: all that give something out. */
async function mayRun(targets) {
  let nodes = ourNodes().flatMap(({ node, path }) => {
    const doubts = doubtsAbout(node);
    return doubts.length ? [{ node, path, doubts }] : [];
  });
  if (!nodes.length) return true;
  const running = await idsOfRun(targets);
  nodes = nodes.filter(({ path }) => running.has(path));
  if (!nodes.length) return true;
  asking ??= askAbout(nodes).finally(() => (asking = null));
  return asking;
}

/** Ids of the nodes that a run would reach. @param {string[] | undefined} targets */
async function idsOfRun(targets) {
  const { output } = await app.graphToPrompt();
  const types = /** @type {any} */ (window).LiteGraph?.registered_node_types ?? {};
  const shown = new Set(nodesForPreviews(targets));
  const asked = targets?.length
    ? targets.map(String)
    : Object.keys(output).filter((id) => isOutputClass(types[output[id]?.class_type ?? ""]));
  return idsNeededBy(output, [...asked, ...ourNodes().flatMap(({ node, path }) => (shown.has(node) ? [path] : []))]);
}

/** @param {Doubtful[]} nodes @returns {Promise<boolean>} */
function askAbout(nodes) {
  return new Promise((answer) => {
    let agrees = false;
    const dialog = openDialog(t("run_check.title"), { class: "nb-narrow", onclose: () => answer(agrees) });
    const run = () => {
      agrees = true;
      for (const { node } of nodes) agree(node);
      dialog.close();
    };
    dialog.body.append(
      ...nodes.map(({ node, path, doubts }) =>
        el("section", { class: "nb-report" }, el("h3", {}, `${node.title} #${path}`), ...doubts.map((text) => el("p", {}, text))),
      ),
      el(
        "div",
        { class: "nb-actions nb-end" },
        button(t("cancel"), () => dialog.close(), { class: "nb-main" }),
        button(t("run_check.run"), run),
      ),
    );
  });
}
