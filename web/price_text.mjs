/** What a node will use and what its next run costs, in a few words. */
import { configOf, governing, hasLink, valueOf } from "./graph.mjs";
import { lacksKey } from "./node_notes.mjs";
import { providerStore } from "./provider_store.mjs";
import { isUnchanged } from "./run_signature.mjs";
import { money, priceOfOne, t } from "./i18n.mjs";

/** @typedef {import("./server.mjs").Estimate} Estimate */

/**
 * Who will be asked: `auto → Google · nano-banana-2.1`.
 * @param {Comfy.Node} node @param {Estimate | null} estimate
 */
export function whoText(node, estimate) {
  const config = configOf(node);
  const linked = node.inputs?.some((input) => input.name === "provider" && hasLink(input));
  const name = config ? String(valueOf(config, "provider") ?? "") : linked ? "" : "auto";
  if (!estimate?.provider) {
    return providerStore.provider(name)?.label ?? (name || "…");
  }
  const arrow = name === estimate.provider || !name ? "" : `${name} → `;
  return `${arrow}${estimate.label} · ${estimate.model}`;
}

/**
 * The size and the price of the next run, and how it should look.
 * @param {Comfy.Node} node @param {Estimate | null} estimate @returns {[string, string]}
 */
export function priceText(node, estimate) {
  if (!estimate) return ["…", "plain"];
  if (!estimate.provider) return [t(lacksKey(node) ? "choice.nobody" : "price.cannot"), "plain"];
  const count = estimate.pictures ?? 1;
  const stored = estimate.stored ?? 0;
  const asked = String(valueOf(node, "resolution") ?? "auto");
  const size = asked === "auto" ? estimate.resolution || "auto" : asked;
  if (estimate.usd_each === 0) return [`${size} · ${t("price.free")}`, "good"];
  if (stored >= count) return [t(estimate.ordered ? "price.ordered" : "price.stored"), "good"];
  if (isUnchanged(node)) return [t("price.unchanged"), "good"];
  const missing = count - stored;
  const each = priceOfOne(estimate);
  const about = estimate.frames_known === false ? "≈ " : "";
  const price = missing > 1 || about ? `${about}${missing} × ${each}` : each;
  const parts = [size, estimate.elements === null ? t("price.per_element", { price }) : price];
  if (stored) parts.push(t("price.some_stored", { n: stored }));
  if (estimate.delivery === "batch") parts.push(t("price.batch"));
  return [parts.join(" · "), "plain"];
}

/**
 * The other delivery that a node's provider has: at half the price by tomorrow, or at once; undefined where there is no choice.
 * @param {Comfy.Node} node @param {Estimate | null} estimate
 * @returns {{ delivery: "now" | "batch", text: string } | undefined}
 */
export function otherDelivery(node, estimate) {
  if (!estimate?.provider || typeof estimate.usd_batch_each !== "number" || !governing(node, "delivery").widget) return undefined;
  const missing = (estimate.pictures ?? 1) - (estimate.stored ?? 0);
  if (missing <= 0 || isUnchanged(node)) return undefined;
  const priceAt = (/** @type {number | null | undefined} */ each) => ({ price: amount({ ...estimate, usd_each: each ?? null }, missing) });
  if (estimate.delivery === "batch") return { delivery: "now", text: t("delivery.now", priceAt(estimate.usd_now_each)) };
  return { delivery: "batch", text: t("delivery.batch", priceAt(estimate.usd_batch_each)) };
}

/** The price of the next run alone; "" where it isn't known who will be asked. @param {Comfy.Node} node @param {Estimate | null} estimate */
export function runPrice(node, estimate) {
  if (!estimate?.provider) return "";
  if (estimate.usd_each === 0 || (estimate.stored ?? 0) >= (estimate.pictures ?? 1) || isUnchanged(node)) return t("price.free");
  return amount(estimate, (estimate.pictures ?? 1) - (estimate.stored ?? 0));
}

/** What a new variation costs: nothing of it is stored. @param {Estimate | null} estimate */
export const variationPrice = (estimate) => (estimate?.provider ? amount(estimate, estimate.pictures ?? 1) : "");

/** @param {Estimate} estimate @param {number} pictures */
function amount(estimate, pictures) {
  const about = estimate.frames_known === false ? "≈ " : "";
  const each = estimate.usd_each;
  if (each === 0) return t("price.free");
  const price = typeof each === "number" ? `${about}${money(each * pictures)}` : t("price.counts_as", { usd: money((estimate.usd_counted_each ?? 0) * pictures) });
  return estimate.elements === null ? t("price.per_element", { price }) : price;
}
