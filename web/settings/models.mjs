/** Models that a person adds to a built-in provider: name, wire id, the model that it is like, prices by size. */
import { button, el } from "../dom.mjs";
import { confirmDialog, openDialog } from "../dialog.mjs";
import { modelOf } from "../provider_store.mjs";
import { ask, errorText } from "../server.mjs";
import { money, t } from "../i18n.mjs";
import { field } from "./field.mjs";

/** @typedef {import("../server.mjs").Provider} Provider */
/** @typedef {import("../server.mjs").Model} Model */
/** @typedef {import("./panel.mjs").Shared} Shared */

/** The models that were added to a provider, each with its price and what can be done with it. @param {Shared} shared @param {Provider} provider */
export function addedModels(shared, provider) {
  return provider.models
    .filter((model) => model.added)
    .map((model) =>
      el(
        "div",
        { class: "nb-row", "data-model": model.name },
        el("span", { class: "nb-chip" }, model.name),
        el("span", { class: "nb-quiet" }, [wiresOf(model).join(" / "), priceOf(model)].join(" · ")),
        el("span", { class: "nb-space" }),
        el(
          "div",
          { class: "nb-actions nb-small" },
          button(t("providers.edit"), () => modelForm(shared, provider, model), {
            "aria-label": t("models.edit", { model: model.name }),
          }),
          button(t("providers.remove"), () => remove(shared, provider, model), {
            class: "nb-danger",
            "aria-label": t("models.remove", { model: model.name }),
          }),
        ),
      ),
    );
}

/** @param {Model} model */
const wiresOf = (model) => [...new Set([model.generate?.wire, model.edit?.wire].filter((wire) => wire !== undefined))];

/** @param {Model} model */
function priceOf(model) {
  if (!model.price) return t("models.no_price");
  return Object.entries(model.price.usd)
    .map(([size, usd]) => (size ? `${size} ${money(usd)}` : money(usd)))
    .join(", ");
}

/** @param {Shared} shared @param {Provider} provider @param {Model} [model] To be changed. */
export function modelForm(shared, provider, model) {
  const title = model ? t("models.edit_title", { model: model.name }) : t("models.title", { label: provider.label });
  const dialog = openDialog(title, { class: "nb-narrow" });
  const statusLine = el("p", { class: "nb-bad", role: "alert" });
  const text = (/** @type {string} */ value, /** @type {string} */ placeholder) =>
    el("input", { type: "text", value, placeholder, spellcheck: "false", autocomplete: "off", size: "40" });
  const name = text(model?.name ?? "", "nano-banana-3");
  name.disabled = model !== undefined;
  const [made, edited] = [model?.generate?.wire ?? "", model?.edit?.wire ?? ""];
  const wire = text(made, modelOf(provider, "recommended")?.generate?.wire ?? "");
  const editWire = text(edited === made ? "" : edited, t("models.same"));
  const known = provider.models.filter((each) => !each.added);
  const like = el(
    "select",
    {},
    ...known.map((each) => {
      const chosen = model?.like ? model.like === each.name : each.recommended;
      return el("option", { value: each.name, selected: chosen }, each.name);
    }),
  );
  const prices = el("div", { class: "nb-actions" });
  const base = () => known.find((each) => each.name === like.value);
  const showPrices = () => prices.replaceChildren(...sizesOf(base()).map((size) => priceField(size, model?.price?.usd ?? {})));
  like.addEventListener("change", showPrices);
  showPrices();
  const save = async () => {
    statusLine.textContent = "";
    try {
      const other = editWire.value.trim();
      const facts = {
        wire: other ? { generate: wire.value.trim(), edit: other } : wiresFor(wire.value.trim(), base()),
        price: readPriceFields(prices),
        like: like.value,
      };
      await ask(`/providers/${encodeURIComponent(provider.id)}`, {
        method: "PUT",
        body: { models: { [name.value.trim()]: facts } },
      });
      dialog.close();
      await shared.redraw();
    } catch (error) {
      statusLine.textContent = errorText(error);
    }
  };
  dialog.body.append(
    el("p", { class: "nb-quiet" }, t("models.hint")),
    field(t("form.name"), name, t("models.name_hint")),
    field(t("models.wire"), wire, t("models.wire_hint")),
    field(t("models.edit_wire"), editWire),
    field(t("models.like"), like, t("models.like_hint")),
    field(t("models.price"), prices, t("models.price_hint")),
    statusLine,
    el("div", { class: "nb-actions nb-end" }, button(t("save"), save, { class: "nb-main" })),
  );
  (model ? wire : name).focus();
}

/** Sizes that have a price of their own; [""] where there is one only. @param {Model | undefined} model @returns {string[]} */
function sizesOf(model) {
  const sizes = [...new Set([...(model?.generate?.resolutions ?? []), ...(model?.edit?.resolutions ?? [])])];
  return sizes.length > 1 ? sizes : [""];
}

/** One id for what the model that it is like can do. @param {string} wire @param {Model | undefined} model */
const wiresFor = (wire, model) => ({
  ...(model?.generate ? { generate: wire } : {}),
  ...(model?.edit ? { edit: wire } : {}),
});

/** @param {string} size @param {Record<string, number>} now */
function priceField(size, now) {
  const input = el("input", {
    type: "text",
    inputmode: "decimal",
    size: "6",
    placeholder: "0.05",
    "data-size": size,
    "aria-label": [t("models.price"), size].join(" ").trim(),
    value: String(now[size] ?? now[""] ?? ""),
  });
  return el("label", { class: "nb-inline" }, size, " $", input);
}

/** What is in the fields of prices; null where nothing does. @param {HTMLElement} box @returns {Record<string, number> | null} */
function readPriceFields(box) {
  /** @type {Record<string, number>} */
  const found = {};
  for (const input of box.querySelectorAll("input")) {
    const text = input.value.trim().replace(",", ".").replace("$", "");
    if (!text) continue;
    const usd = Number(text);
    if (!Number.isFinite(usd)) throw new Error(t("models.no_number", { text: input.value }));
    found[input.dataset["size"] ?? ""] = usd;
  }
  return Object.keys(found).length ? found : null;
}

/** @param {Shared} shared @param {Provider} provider @param {Model} model */
async function remove(shared, provider, model) {
  if (!(await confirmDialog(t("models.remove_sure", { model: model.name, label: provider.label }), t("providers.remove")))) return;
  await ask(`/providers/${encodeURIComponent(provider.id)}`, { method: "PUT", body: { models: { [model.name]: null } } });
  await shared.redraw();
}
