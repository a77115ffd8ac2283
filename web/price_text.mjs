/** The price of a node's next run in a few words. */
import { valueOf } from "./graph.mjs";
import { priceOfOne, t } from "./i18n.mjs";

/**
 * The price of the next run in a few words, and how it should look.
 * @param {Comfy.Node} node @param {import("./server.mjs").Estimate | null} estimate @returns {[string, string]}
 */
export function priceText(node, estimate) {
  if (!estimate) return ["…", "plain"];
  if (estimate.problem) return [t("price.cannot"), "bad"];
  const count = estimate.pictures ?? 1;
  const stored = estimate.stored ?? 0;
  if (stored >= count) return [t("price.stored"), "good"];
  const asked = String(valueOf(node, "resolution") ?? "auto");
  const size = estimate.resolution && asked === "auto" ? `auto → ${estimate.resolution}` : asked;
  if (estimate.usd_each === 0) return [`${size} · ${t("price.free")}`, "good"];
  const missing = count - stored;
  const each = priceOfOne(estimate);
  const about = estimate.frames_known === false ? "≈ " : "";
  const price = missing > 1 || about ? `${about}${missing} × ${each}` : each;
  const parts = [size, estimate.elements === null ? t("price.per_element", { price }) : price];
  if (stored) parts.push(t("price.some_stored", { n: stored }));
  return [parts.join(" · "), "plain"];
}
