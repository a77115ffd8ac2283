/** A model that the pack doesn't know, named in a workflow: the question on the node, and the permission in Settings. */
import { button, el, stopKeyPropagation } from "./dom.mjs";
import { providerStore } from "./provider_store.mjs";
import { ask } from "./server.mjs";
import { t } from "./i18n.mjs";

/** @typedef {{ provider: string, label: string, wire: string }} AskedModel */

/** What a picture by a model of unknown price counts as, unless the user says otherwise. */
export const DEFAULT_PRICE = "0.30";

/** @param {string} text What a person has typed as a price; null where it is empty. Throws where it is no price. */
export function parsePrice(text) {
  const plain = text.trim().replace(/^\$/, "");
  if (!plain) return null;
  const price = Number(plain);
  if (!(price >= 0 && price < 1000)) throw new Error(t("models.no_number", { text: plain }));
  return price;
}

/** @param {string} provider @param {string} wire @param {number | null} price */
export const allowModel = (provider, wire, price) =>
  ask(`/models/${encodeURIComponent(provider)}`, { method: "PUT", body: { wire, price } });

/** The price field and the button below the question on a node. @param {AskedModel} model @param {...HTMLElement} others */
export function permissionForm(model, ...others) {
  const price = el("input", {
    type: "text",
    inputmode: "decimal",
    value: DEFAULT_PRICE,
    size: "5",
    class: "nb-amount",
    "aria-label": t("allow.price"),
  });
  stopKeyPropagation(price);
  price.addEventListener("pointerdown", (event) => event.stopPropagation());
  const allow = async () => {
    await allowModel(model.provider, model.wire, parsePrice(price.value));
    await providerStore.refresh(); // and with it the prices
  };
  return el(
    "div",
    { class: "nb-actions" },
    el("label", { class: "nb-inline" }, `${t("allow.price")} $`, price),
    button(t("allow.button"), allow),
    ...others,
  );
}
