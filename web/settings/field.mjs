/** Labelled fields that save themselves, say what is wrong, and show where the environment has the last word. */
import { el } from "../dom.mjs";
import { errorText } from "../server.mjs";
import { t } from "../i18n.mjs";

let count = 0;

/**
 * @param {string} label
 * @param {HTMLElement} control
 * @param {string} [hint]
 */
export function field(label, control, hint) {
  control.id ||= `nb-field-${(count += 1)}`;
  return el(
    "div",
    { class: "nb-field" },
    el("label", { for: control.id }, label),
    el("div", {}, control, hint ? el("div", { class: "nb-quiet" }, hint) : null),
  );
}

/**
 * A setting as a text field or a choice.
 * @param {import("./panel.mjs").Shared} shared
 * @param {string} name
 * @param {string} label
 * @param {{ hint?: string, choices?: [string, string][], prefix?: string, suffix?: string }} [facts]
 */
export function setting(shared, name, label, { hint, choices, prefix, suffix } = {}) {
  const now = shared.settings[name];
  const fixed = now?.source === "environment";
  const value = String(now?.value ?? "");
  const statusLine = el("div", { class: "nb-bad", role: "alert" });
  const id = `nb-setting-${name}`;
  const control = choices
    ? el(
        "select",
        { id, disabled: fixed },
        ...choices.map(([key, text]) => el("option", { value: key, selected: key === value }, text)),
      )
    : el("input", { id, type: "text", value, disabled: fixed, spellcheck: "false", size: "8" });
  control.addEventListener("change", async () => {
    statusLine.textContent = "";
    try {
      await shared.save({ [name]: control.value.trim() === "" ? null : control.value.trim() });
    } catch (error) {
      statusLine.textContent = errorText(error);
    }
  });
  const box = el("div", {}, el("span", { class: "nb-inline" }, prefix ?? "", control, suffix ?? ""), statusLine);
  if (fixed) box.append(el("div", { class: "nb-quiet" }, t("settings.fixed", { variable: now.variable })));
  if (hint) box.append(el("div", { class: "nb-quiet" }, hint));
  return el("div", { class: "nb-field" }, el("label", { for: id }, label), box);
}
