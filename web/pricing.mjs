/** Updates the prices on the nodes: asks the server after each change, debounced. */
import { footerOf, redraw, showEstimate } from "./node_footer.mjs";
import { isImageNode, ourNodes, promptFor } from "./graph.mjs";
import { elementsOf, forElements } from "./linked_lists.mjs";
import { providerStore } from "./provider_store.mjs";
import { updateWidgetOptions } from "./widget_options.mjs";
import { ApiError, ask, errorText } from "./server.mjs";
import { t } from "./i18n.mjs";

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
  await providerStore.ensure().catch(() => undefined);
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
