/** Updates the prices on the nodes: asks the server after each change, debounced. */
import { app } from "/scripts/app.js";
import { button, el } from "./dom.mjs";
import { openDialog } from "./dialog.mjs";
import { addProvider } from "./provider_choice.mjs";
import { footerOf, redraw, showEstimate } from "./node_footer.mjs";
import { isImageNode, ourNodes, promptFor } from "./graph.mjs";
import { elementsOf, forElements } from "./linked_lists.mjs";
import { providerStore } from "./provider_store.mjs";
import { updateWidgetOptions } from "./widget_options.mjs";
import { ApiError, ask, errorText } from "./server.mjs";
import { money, priceOfOne, t } from "./i18n.mjs";

const DEBOUNCE_MS = 200;
let timer = 0;
/** @type {AbortController | null} */
let asking = null;

/** Something has changed: the prices are asked for soon. */
export function scheduleEstimates() {
  window.clearTimeout(timer);
  timer = window.setTimeout(() => void updateEstimates(), DEBOUNCE_MS);
}

async function updateEstimates() {
  // What was asked for while the page came up may not have been answered.
  if (!providerStore.loaded) await providerStore.refresh().catch(() => undefined);
  const nodes = ourNodes().map((each) => each.node);
  for (const node of nodes) {
    updateWidgetOptions(node);
    redraw(node);
  }
  const imageNodes = nodes.filter((node) => isImageNode(node) && footerOf(node));
  if (!imageNodes.length) return;
  asking?.abort();
  asking = new AbortController();
  try {
    const answer = await ask("/estimate", { method: "POST", body: { prompt: promptFor(imageNodes) }, signal: asking.signal });
    /** @type {Record<string, import("./server.mjs").Estimate>} */
    const found = answer.nodes;
    const why = answer.left_out ? t("price.left_out", { n: answer.left_out }) : undefined;
    imageNodes.forEach((node, index) => {
      const estimate = found[String(index)];
      showEstimate(node, estimate ? forElements(estimate, elementsOf(node)) : null, estimate ? undefined : why);
    });
  } catch (error) {
    if (error instanceof ApiError) imageNodes.forEach((node) => showEstimate(node, null, errorText(error)));
    else if (!(error instanceof DOMException && error.name === "AbortError")) throw error;
  }
}

/** The same request at every provider that has a key. @param {Comfy.Node} node */
export async function showPrices(node) {
  const answer = await ask("/estimate", { method: "POST", body: { prompt: promptFor([node]), everywhere: true } });
  /** @type {import("./server.mjs").Estimate | undefined} */
  const found = answer.nodes["0"];
  const estimate = found && forElements(found, elementsOf(node));
  const rows = (estimate?.everywhere ?? []).filter((row) => row.usable && !row.local);
  const dialog = openDialog(t("prices.title"), { class: "nb-narrow" });
  if (estimate?.price_source) {
    const source = t("prices.source", { source: estimate.price_source, dated: estimate.price_dated ?? "" });
    dialog.body.append(el("p", { class: "nb-quiet" }, source));
    if (estimate.counted_source) {
      dialog.body.append(el("p", { class: "nb-quiet" }, t("prices.counted", { source: estimate.counted_source })));
    }
  }
  if (!rows.length) {
    dialog.body.append(el("p", {}, t("prices.nobody")));
    return;
  }
  dialog.body.append(
    el(
      "table",
      { class: "nb-table" },
      el(
        "thead",
        {},
        el("tr", {}, ...["provider", "model", "size", "each", estimate?.elements === null ? "element" : "run", ""].map((n) => el("th", {}, n && t(`prices.${n}`)))),
      ),
      el(
        "tbody",
        {},
        ...rows.map((row) =>
          el(
            "tr",
            { class: row.provider === estimate?.provider ? "nb-chosen" : "" },
            el("td", {}, row.label),
            ...(row.problem
              ? [el("td", { colspan: "5", class: "nb-quiet" }, row.problem)]
              : [
                  el("td", {}, row.model ?? ""),
                  el("td", {}, row.resolution ?? ""),
                  el("td", {}, priceOfOne(row)),
                  el("td", {}, money(row.usd)),
                  el(
                    "td",
                    {},
                    row.provider === estimate?.provider
                      ? t("prices.chosen")
                      : button(t("prices.use"), () => {
                          addProvider(node, row.provider, row.model ?? "recommended");
                          dialog.close();
                          app.canvas?.setDirty?.(true, true);
                        }),
                  ),
                ]),
          ),
        ),
      ),
    ),
  );
}
