/** What queueing would do, node by node: from the store or paid, at whom, for how much, with which pictures. Sends nothing. */
import { app } from "/scripts/app.js";
import { el } from "./dom.mjs";
import { openDialog } from "./dialog.mjs";
import { showsDrafts } from "./draft_setting.mjs";
import { nodeByPath } from "./graph.mjs";
import { elementsOf, forElements } from "./linked_lists.mjs";
import { ask, errorText } from "./server.mjs";
import { money, priceOfOne, sumText, t } from "./i18n.mjs";

/** @typedef {import("./server.mjs").Estimate} Estimate */

/** Opens the report. */
export async function dryRun() {
  const dialog = openDialog(t("dry.title"), { class: "nb-wide" });
  dialog.body.append(el("p", { class: "nb-quiet" }, "…"));
  try {
    const { output } = await app.graphToPrompt();
    const body = { prompt: output, detail: true, shows_drafts: showsDrafts() };
    const answer = await ask("/estimate", { method: "POST", body });
    /** @type {[string, Estimate][]} */
    const nodes = Object.entries(/** @type {Record<string, Estimate>} */ (answer.nodes)).map(([id, estimate]) => {
      const node = nodeByPath(id);
      return [id, forElements(estimate, node ? elementsOf(node) : 1)];
    });
    dialog.body.replaceChildren(
      el("p", { class: "nb-quiet" }, t("dry.hint")),
      answer.left_out ? el("p", { class: "nb-bad" }, t("price.left_out", { n: answer.left_out })) : "",
      ...(nodes.length ? [total(nodes), ...nodes.map(([id, estimate]) => report(id, estimate))] : [el("p", {}, t("dry.none"))]),
    );
  } catch (error) {
    dialog.body.replaceChildren(el("p", { class: "nb-bad" }, errorText(error)));
  }
}

/** @param {[string, Estimate][]} nodes */
function total(nodes) {
  const prices = nodes.filter(([, node]) => !node.problem).map(([, node]) => node.usd);
  const unknown = prices.some((usd) => usd === null || usd === undefined);
  const sum = prices.reduce((/** @type {number} */ all, usd) => all + (usd ?? 0), 0);
  const most = nodes.reduce((all, [, node]) => all + (node.problem ? 0 : (node.usd_counted ?? 0)), 0);
  const text = unknown ? t("dry.total_unknown", { usd: money(most) }) : t("dry.total", { usd: sumText(sum) });
  const lists = nodes.some(([, node]) => !node.problem && node.usd !== 0 && node.elements === null);
  return el("p", {}, el("strong", {}, text), lists ? ` ${t("dry.per_element")}` : "");
}

/** @param {"each" | "run" | "element"} name @param {string} value */
const labelled = (name, value) => t("labelled", { label: t(`prices.${name}`), value });

/** @param {string} id @param {Estimate} estimate */
function report(id, estimate) {
  const node = nodeByPath(id);
  const title = `${node?.title ?? estimate.node} #${id}`;
  const box = el("section", { class: "nb-report" }, el("h3", {}, title));
  if (estimate.problem) {
    box.append(el("p", { class: "nb-bad" }, `${estimate.problem.what} ${estimate.problem.cure}`));
    return box;
  }
  const count = estimate.pictures ?? 0;
  const stored = estimate.stored;
  const what =
    stored === null || stored === undefined
      ? t("dry.unsure", { n: count })
      : stored >= count
        ? t("dry.stored", { n: count })
        : t("dry.paid", { n: count - stored, stored });
  box.append(
    el("p", {}, `${estimate.label} · ${estimate.model} · ${estimate.resolution || "auto"} · ${what}`),
    el("p", {}, [labelled("each", priceOfOne(estimate)), labelled(estimate.elements === null ? "element" : "run", money(estimate.usd))].join(" · ")),
  );
  const references = estimate.references ?? [];
  if (references.length) {
    box.append(
      el(
        "ol",
        { class: "nb-references" },
        ...references.map((reference) => {
          const size = reference.width ? ` ${reference.width}×${reference.height}` : "";
          return el("li", { value: String(reference.number ?? "") }, `${reference.input} ← ${reference.input === "mask" ? t("references.mask") : reference.from}${size}`);
        }),
      ),
    );
  }
  for (const notice of estimate.notices ?? []) box.append(el("p", { class: "nb-quiet" }, `• ${notice}`));
  const oneFrame = (estimate.sends ?? []).every((sent) => sent.frame === 0);
  for (const sent of estimate.sends ?? []) {
    const headers = Object.entries(sent.headers ?? {}).map(([name, value]) => `${name}: ${value}`);
    const text = [`${sent.method} ${sent.url}`, ...headers, "", sent.body].join("\n");
    const slots = sent.slots.map((slot) => slot + 1).join(", ");
    box.append(
      el("details", {}, el("summary", {}, oneFrame ? t("dry.request_alone", { slots }) : t("dry.request", { slots, frame: sent.frame + 1 })), el("pre", { tabindex: "0" }, text)),
    );
  }
  return box;
}
