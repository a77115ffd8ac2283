/** What the user has allowed on this machine: models by their id, and names of the server. */
import { button, el } from "../dom.mjs";
import { providerStore } from "../provider_store.mjs";
import { DEFAULT_PRICE, allowModel, parsePrice } from "../permission.mjs";
import { ask } from "../server.mjs";
import { money, t } from "../i18n.mjs";

/** @param {import("./panel.mjs").Shared} shared */
export function permissionsSection(shared) {
  return el(
    "section",
    {},
    el("h3", {}, t("allow.title")),
    el("p", { class: "nb-quiet" }, t("allow.hint")),
    ...shared.allowed_models.map((model) => {
      const fixed = model.source === "environment" ? t("settings.fixed", { variable: "NANO_BANANA_ALLOW_MODELS" }) : "";
      const words = t("allow.counts", { label: model.label, usd: money(model.price) });
      const path = `/models/${encodeURIComponent(model.provider)}?wire=${encodeURIComponent(model.wire)}`;
      return row(model.wire, [words, fixed].filter(Boolean).join(" · "), fixed ? null : revokeButton(shared, path, model.wire));
    }),
    modelEntry(shared),
    el("h3", {}, t("hosts.section")),
    el("p", { class: "nb-quiet" }, t("hosts.hint", { variable: shared.hosts.variable })),
    shared.hosts.named ? el("p", { class: "nb-quiet" }, `${shared.hosts.variable}: ${shared.hosts.named}`) : null,
    ...shared.hosts.accepted.map((name) => row(name, "", revokeButton(shared, `/hosts/${encodeURIComponent(name)}`, name))),
  );
}

/** @param {string} name @param {string} words @param {HTMLElement | null} action */
const row = (name, words, action) =>
  el(
    "div",
    { class: "nb-row", "data-allowed": name },
    el("span", { class: "nb-chip" }, name),
    el("span", { class: "nb-quiet" }, words),
    el("span", { class: "nb-space" }),
    el("div", { class: "nb-actions nb-small" }, action),
  );

/** A button that takes a permission back. @param {import("./panel.mjs").Shared} shared @param {string} path @param {string} name */
function revokeButton(shared, path, name) {
  const revoke = async () => {
    await ask(path, { method: "DELETE" });
    await shared.redraw();
  };
  return button(t("providers.remove"), revoke, { class: "nb-danger", "aria-label": t("allow.remove", { name }) });
}

/** Allows a model before a workflow asks for it. @param {import("./panel.mjs").Shared} shared */
function modelEntry(shared) {
  const labelled = (/** @type {HTMLElement} */ control, /** @type {string} */ label) => {
    control.setAttribute("aria-label", label);
    return control;
  };
  const asked = providerStore.providers.filter((each) => !each.local);
  const provider = el("select", {}, ...asked.map((each) => el("option", { value: each.id }, each.label)));
  const wire = el("input", { type: "text", placeholder: "vendor/model", size: "24", spellcheck: "false", autocomplete: "off" });
  const price = el("input", { type: "text", value: DEFAULT_PRICE, size: "5", inputmode: "decimal" });
  const allow = async () => {
    await allowModel(provider.value, wire.value.trim(), parsePrice(price.value));
    await shared.redraw();
  };
  return el(
    "div",
    { class: "nb-actions" },
    labelled(provider, t("prices.provider")),
    labelled(wire, t("models.wire")),
    "$",
    labelled(price, t("allow.price")),
    button(t("allow.add"), allow),
  );
}
