/** Every provider: its keys, its address, its place in the order of `auto`. Keys are written and never read back. */
import { button, el } from "../dom.mjs";
import { confirmDialog, openDialog } from "../dialog.mjs";
import { balanceChip } from "../balance.mjs";
import { chosenProvider, isConfig, ourNodes } from "../graph.mjs";
import { hasValue, providerStore } from "../provider_store.mjs";
import { ask, errorText } from "../server.mjs";
import { money, t, when } from "../i18n.mjs";
import { field } from "./field.mjs";
import { providerForm } from "./form.mjs";
import { addedModels, modelForm } from "./models.mjs";

/** @typedef {import("../server.mjs").Provider} Provider */
/** @typedef {import("../server.mjs").KeyState} KeyState */
/** @typedef {import("./panel.mjs").Shared} Shared */

/** @param {Shared} shared @param {string} [opened] */
export function providersSection(shared, opened) {
  const fixed = shared.settings["order"]?.source === "environment";
  const paid = providerStore.providers.filter((provider) => !provider.local);
  const cards = (/** @type {Provider[]} */ some) =>
    el("ol", { class: "nb-providers" }, ...some.map((provider) => card(shared, provider, fixed, provider.id === opened)));
  const inUse = paid.filter((provider) => provider.own || provider.from_file || hasKey(provider));
  const others = paid.filter((provider) => !inUse.includes(provider));
  const offline = providerStore.providers.find((provider) => provider.local);
  const sorted = t("providers.cheapest");
  return el(
    "section",
    {},
    el("h3", {}, t("providers.title")),
    el("p", { class: "nb-quiet" }, t("providers.order")),
    ...providerStore.facts.mistakes.map((mistake) => el("p", { class: "nb-bad" }, mistake)),
    inUse.length ? cards(inUse) : cards(others),
    inUse.length && others.length ? moreProviders(cards(others), others, opened) : null,
    el(
      "div",
      { class: "nb-actions" },
      button(t("providers.add"), () => void providerForm(shared)),
      fixed ? null : button(sorted, () => shared.change({ order: cheapestFirst(paid) })),
    ),
    offline ? el("p", { class: "nb-quiet" }, t("providers.offline", { label: offline.label })) : null,
  );
}

/** Whether a provider has a key, be it one that isn't used. @param {Provider} provider */
const hasKey = (provider) => provider.keys.some((key) => key.state !== "none");

/** Whether the workflow asks a provider with another key than its usual one. @param {Provider} provider */
const namesProfile = ({ id }) =>
  ourNodes().some(({ node }) => isConfig(node) && chosenProvider(node).provider === id && chosenProvider(node).profile !== "default");

/** Whether the person has unfolded the providers without a key; kept while the section is drawn again. */
let unfolded = false;

/** The providers without a key, folded. @param {HTMLElement} list @param {Provider[]} providers @param {string} [opened] */
function moreProviders(list, providers, opened) {
  unfolded ||= providers.some((provider) => provider.id === opened);
  const fold = el(
    "details",
    { class: "nb-more-providers", open: unfolded },
    el("summary", {}, t("providers.more", { n: providers.length })),
    list,
  );
  fold.addEventListener("toggle", () => (unfolded = fold.open));
  return fold;
}

/** @param {Provider[]} providers */
const cheapestFirst = (providers) =>
  [...providers].sort((a, b) => (price(a) ?? Infinity) - (price(b) ?? Infinity)).map((provider) => provider.id);

/** Price of the recommended model's default picture. @param {Provider} provider */
function price(provider) {
  const model = provider.models.find((each) => each.recommended);
  const size = model?.generate?.default_resolution ?? "";
  return model?.price?.usd[size] ?? model?.price?.usd[""] ?? null;
}

/** @param {Shared} shared @param {Provider} provider @param {boolean} fixed @param {boolean} opened */
function card(shared, provider, fixed, opened) {
  const item = el("li", { class: "nb-provider", "data-provider": provider.id, draggable: fixed ? "false" : "true" });
  if (!fixed) makeDraggable(shared, item, provider);
  const cost = price(provider);
  const model = provider.models.find((each) => each.recommended);
  const [badge, badgeTone] = stateOf(provider);
  item.append(
    el(
      "div",
      { class: "nb-row" },
      fixed ? null : el("span", { class: "nb-grip", "aria-hidden": "true", title: t("providers.drag") }, "⠿"),
      el("strong", {}, provider.label),
      el("span", { class: "nb-chip", "data-tone": badgeTone }, badge),
      provider.from_file ? el("span", { class: "nb-chip" }, "providers.yaml") : null,
      el("span", { class: "nb-quiet" }, model ? `${model.name} ${cost === null ? "" : money(cost)}` : ""),
      el("span", { class: "nb-space" }),
      fixed ? null : button("↑", () => move(shared, provider.id, -1), { "aria-label": t("providers.up", { label: provider.label }) }),
      fixed ? null : button("↓", () => move(shared, provider.id, 1), { "aria-label": t("providers.down", { label: provider.label }) }),
    ),
    ...provider.keys.map((key) => keyRow(shared, provider, key, opened && key.profile === "default")),
    el(
      "div",
      { class: "nb-actions nb-small" },
      hasKey(provider) || namesProfile(provider) ? button(t("keys.add_profile"), () => profileForm(shared, provider)) : null,
      button(t("address.button"), () => addressForm(shared, provider)),
      provider.built_in ? button(t("models.add"), () => modelForm(shared, provider)) : null,
      provider.key_url
        ? el("a", { href: provider.key_url, target: "_blank", rel: "noopener noreferrer" }, t("keys.get"))
        : null,
      provider.own ? button(t("providers.edit"), () => void providerForm(shared, provider)) : null,
      provider.own ? button(t("providers.remove"), () => remove(shared, provider), { class: "nb-danger" }) : null,
    ),
  );
  item.append(...addedModels(shared, provider));
  // Not in red before anybody has tried it: most people never use this provider.
  const tone = hasKey(provider) ? "nb-bad" : "nb-quiet";
  if (provider.base_url_problem) item.append(el("div", { class: tone }, t("address.missing")));
  else if (provider.base_url_source !== "row" || provider.own) {
    item.append(el("div", { class: "nb-quiet" }, provider.base_url));
  }
  return item;
}

/** @param {Provider} provider @returns {[string, string]} */
function stateOf(provider) {
  if (provider.keys.some((key) => key.state === "disabled")) return [t("keys.disabled"), "bad"];
  const own = provider.keys.find((key) => key.profile === "default");
  const any = own && own.state !== "none" ? own : provider.keys.find((key) => key.state !== "none");
  if (!any) return [t("keys.none"), "plain"];
  if (any.tested?.verdict === "refused") return [t("keys.refused"), "bad"];
  if (any.tested?.verdict === "no credit") return [t("keys.no_credit"), "bad"];
  return [t(any.state === "environment" ? "keys.environment" : "keys.stored"), "good"];
}

/** @param {Shared} shared @param {Provider} provider @param {KeyState} key @param {boolean} opened */
function keyRow(shared, provider, key, opened) {
  const path = `/keys/${encodeURIComponent(provider.id)}/${encodeURIComponent(key.profile)}`;
  const statusLine = el("div", { class: "nb-quiet", role: "status" });
  if (key.problem) statusLine.append(el("span", { class: "nb-bad" }, key.problem));
  else if (key.tested) statusLine.append(`${key.tested.text} (${when(key.tested.at)})`);
  const box = el("div", { class: "nb-key" });
  const name = key.profile === "default" ? "" : key.profile;
  const source = key.state === "environment" ? t("keys.from", { variable: key.source }) : "";
  const actions = el("div", { class: "nb-actions nb-small" });
  const enter = () => {
    const entry = keyEntry(t("keys.field", { label: provider.label }), async (text) => {
      await ask(path, { method: "PUT", body: { key: text } });
      await ask(`${path}/test`, { method: "POST" }).catch(() => undefined); // the state shows what came of it
      await shared.redraw();
    });
    if (key.state !== "none") entry.append(button(t("cancel"), () => shared.redraw()));
    actions.replaceChildren(entry);
    entry.querySelector("input")?.focus();
  };
  const filled = hasValue(key);
  const refused = key.state === "disabled" || key.tested?.verdict === "refused";
  const test = async () => {
    statusLine.textContent = t("keys.testing");
    try {
      await ask(`${path}/test`, { method: "POST" });
      await shared.redraw(); // the state, the chip and the balance show what came of it
    } catch (error) {
      statusLine.textContent = errorText(error);
    }
  };
  actions.append(
    ...[
      key.state === "environment" && !key.replaceable
        ? null
        : button(t(key.state === "none" ? "keys.add" : "keys.replace"), enter, { class: key.state === "none" || refused ? "nb-main" : "" }),
      filled ? button(t("keys.test"), test, { class: key.tested ? "" : "nb-main" }) : null,
      filled && provider.names_balance ? button(t("balance.ask"), test, { title: t("balance.ask_title") }) : null,
      key.replaceable
        ? button(
            t("keys.delete"),
            async () => {
              if (!(await confirmDialog(t("keys.delete_sure", { label: provider.label, profile: name || t("keys.default") }), t("keys.delete")))) return;
              await ask(path, { method: "DELETE" });
              await shared.redraw();
            },
            { class: "nb-danger" },
          )
        : null,
    ].filter((each) => each !== null),
  );
  box.append(
    el("div", { class: "nb-row" }, name ? el("span", { class: "nb-chip" }, name) : null, balanceChip(key.balance), el("span", { class: "nb-quiet" }, source), actions),
    statusLine,
  );
  if (opened && (key.state === "none" || refused)) enter();
  return box;
}

/**
 * A field that a key is typed into; emptied as soon as it is sent.
 * @param {string} label @param {(key: string) => Promise<void>} save
 */
function keyEntry(label, save) {
  const statusLine = el("span", { class: "nb-bad", role: "alert" });
  const input = el("input", {
    type: "password",
    "aria-label": label,
    placeholder: t("keys.placeholder"),
    autocomplete: "off",
    spellcheck: "false",
    "data-1p-ignore": true,
    "data-lpignore": "true",
  });
  const form = el(
    "form",
    { class: "nb-key-entry", autocomplete: "off" },
    input,
    el("button", { type: "submit", class: "nb-button nb-main" }, t("save")),
    statusLine,
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const key = input.value;
    input.value = "";
    try {
      await save(key);
    } catch (error) {
      statusLine.textContent = errorText(error);
    }
  });
  return form;
}

/** @param {Shared} shared @param {Provider} provider */
function profileForm(shared, provider) {
  const dialog = openDialog(t("keys.profile_title", { label: provider.label }), { class: "nb-narrow" });
  const name = el("input", { type: "text", pattern: "[A-Za-z0-9_-]{1,32}", placeholder: "studio", autocomplete: "off" });
  const entry = keyEntry(t("keys.field", { label: provider.label }), async (key) => {
    await ask(`/keys/${encodeURIComponent(provider.id)}/${encodeURIComponent(name.value.trim())}`, { method: "PUT", body: { key } });
    dialog.close();
    await shared.redraw();
  });
  entry.id = "nb-profile-form";
  name.setAttribute("form", entry.id); // Enter in the name saves, too
  dialog.body.append(
    el("p", { class: "nb-quiet" }, t("keys.profile_hint")),
    field(t("keys.profile_name"), name),
    field(t("keys.key"), entry),
  );
  name.focus();
}

/** @param {Shared} shared @param {Provider} provider */
function addressForm(shared, provider) {
  const fixed = provider.base_url_source === "environment";
  const dialog = openDialog(t("address.title", { label: provider.label }), { class: "nb-narrow" });
  const statusLine = el("p", { class: "nb-bad", role: "alert" });
  const url = el("input", { type: "url", value: provider.base_url, placeholder: "https://api.example.com", disabled: fixed, size: "40" });
  /** @param {string | null} value */
  const save = async (value) => {
    statusLine.textContent = "";
    try {
      if (provider.own) throw new Error(t("address.own"));
      await ask(`/providers/${encodeURIComponent(provider.id)}`, { method: "PUT", body: { base_url: value } });
      dialog.close();
      await shared.redraw();
    } catch (error) {
      statusLine.textContent = errorText(error);
    }
  };
  dialog.body.append(
    el("p", { class: "nb-quiet" }, t(fixed ? "settings.fixed" : "address.hint", { variable: provider.base_url_variable })),
    field(t("address.field"), url),
    statusLine,
    el(
      "div",
      { class: "nb-actions nb-end" },
      provider.base_url_source === "settings" ? button(t("address.reset"), () => save(null)) : null,
      fixed ? null : button(t("save"), () => save(url.value), { class: "nb-main" }),
    ),
  );
}

/** @param {Shared} shared @param {Provider} provider */
async function remove(shared, provider) {
  if (!(await confirmDialog(t("providers.remove_sure", { label: provider.label }), t("providers.remove")))) return;
  await ask(`/providers/${encodeURIComponent(provider.id)}`, { method: "DELETE" });
  await shared.redraw();
}

/** @param {Shared} shared @param {string} id @param {number} by */
async function move(shared, id, by) {
  const order = providerStore.providers.filter((provider) => !provider.local).map((provider) => provider.id);
  const from = order.indexOf(id);
  const to = Math.max(0, Math.min(order.length - 1, from + by));
  order.splice(to, 0, ...order.splice(from, 1));
  await shared.change({ order });
}

/** @param {Shared} shared @param {HTMLElement} item @param {Provider} provider */
function makeDraggable(shared, item, provider) {
  item.addEventListener("dragstart", (event) => {
    event.stopPropagation();
    event.dataTransfer?.setData("text/nano-banana-provider", provider.id);
    item.classList.add("nb-dragged");
  });
  item.addEventListener("dragend", () => item.classList.remove("nb-dragged"));
  item.addEventListener("dragover", (event) => {
    event.preventDefault();
    event.stopPropagation();
  });
  item.addEventListener("drop", async (event) => {
    event.preventDefault();
    event.stopPropagation();
    const moved = event.dataTransfer?.getData("text/nano-banana-provider");
    if (!moved || moved === provider.id) return;
    const order = providerStore.providers.filter((each) => !each.local).map((each) => each.id);
    const goal = order.indexOf(provider.id);
    const rest = order.filter((id) => id !== moved);
    rest.splice(goal, 0, moved);
    await shared.change({ order: rest });
  });
}
