/** Adds a provider of the user's own: name, address, what it speaks, how the key is sent, the key; then tests it. */
import { button, el } from "../dom.mjs";
import { openDialog } from "../dialog.mjs";
import { providerStore } from "../provider_store.mjs";
import { ask, errorText } from "../server.mjs";
import { t } from "../i18n.mjs";
import { field } from "./field.mjs";

/** @param {import("./panel.mjs").Shared} shared @param {import("../server.mjs").Provider} [provider] To be changed. */
export function providerForm(shared, provider) {
  const dialog = openDialog(provider ? t("form.edit", { label: provider.label }) : t("form.title"), { class: "nb-narrow" });
  const statusLine = el("p", { role: "status" });
  const label = el("input", { type: "text", value: provider?.label ?? "", maxlength: "60", placeholder: t("form.name_placeholder") });
  const url = el("input", { type: "text", value: provider?.base_url ?? "", placeholder: "https://api.example.com", size: "40" });
  const choose = (/** @type {[string, string][]} */ values, /** @type {string | undefined} */ now) =>
    el("select", {}, ...values.map(([key, text]) => el("option", { value: key, selected: key === now }, text)));
  const dialect = choose(
    Object.entries(providerStore.facts.dialects).map(([name, known]) => [name, t("form.like", { name, known })]),
    provider?.dialect,
  );
  const auth = choose(
    providerStore.facts.auths.map((name) => [name, t(`form.auth.${name}`)]),
    provider?.auth,
  );
  const model = el("input", { type: "text", value: provider?.model ?? "", placeholder: t("form.model_placeholder") });
  const key = el("input", { type: "password", autocomplete: "off", placeholder: t("keys.placeholder"), spellcheck: "false" });
  let saved = provider?.id;
  const save = async () => {
    const missing = [{ name: t("form.name"), input: label }, { name: t("address.field"), input: url }].find(({ input }) => !input.value.trim());
    if (missing) {
      statusLine.className = "nb-bad";
      statusLine.textContent = t("form.missing", { field: missing.name });
      missing.input.focus();
      return;
    }
    statusLine.className = "nb-quiet";
    statusLine.textContent = "…";
    try {
      const id = saved ?? newProviderId(label.value);
      const body = { label: label.value, base_url: url.value, dialect: dialect.value, auth: auth.value, model: model.value };
      await ask(`/providers/${encodeURIComponent(id)}`, { method: "PUT", body });
      saved = id;
      const typed = key.value;
      key.value = "";
      if (typed) {
        await ask(`/keys/${encodeURIComponent(id)}/default`, { method: "PUT", body: { key: typed } });
        const tested = await ask(`/keys/${encodeURIComponent(id)}/default/test`, { method: "POST" });
        statusLine.textContent = tested.text;
      }
      dialog.close(); // first: it gives the focus back to its button, and the redraw to the new one
      await shared.redraw();
    } catch (error) {
      statusLine.className = "nb-bad";
      statusLine.textContent = errorText(error);
    }
  };
  dialog.body.append(
    el("p", { class: "nb-quiet" }, t("form.hint")),
    field(t("form.name"), label),
    field(t("address.field"), url, t("form.url_hint")),
    field(t("form.dialect"), dialect, t("form.dialect_hint")),
    field(t("form.auth"), auth),
    field(t("form.model"), model, t("form.model_hint")),
    field(t("keys.key"), key),
    statusLine,
    el("div", { class: "nb-actions nb-end" }, button(t("form.save"), save, { class: "nb-main" })),
  );
  label.focus();
}

/** An id out of a name, of a provider that isn't here yet: nobody's key is sent to another's address. @param {string} label */
function newProviderId(label) {
  const plain = label
    .normalize("NFKD")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "_")
    .replace(/^_+|_+$/g, "");
  const reserved = ["auto", ...providerStore.providers.filter((each) => !each.own).map((each) => each.id)];
  const free = /^[a-z]/.test(plain) && !reserved.some((each) => `${plain}_`.startsWith(`${each}_`));
  const id = (free ? plain : `own_${plain}`).slice(0, 30).replace(/_+$/, "").padEnd(2, "_");
  const taken = (/** @type {string} */ each) => providerStore.provider(each) !== undefined;
  let found = id;
  for (let n = 2; taken(found); n += 1) found = `${id}${n}`;
  return found;
}
