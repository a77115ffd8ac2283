/** Where results are kept and how requests leave: sizes, requests at a time, and what only the environment may name. */
import { el } from "../dom.mjs";
import { t } from "../i18n.mjs";
import { setting } from "./field.mjs";

/** What is little is not written as nothing. @param {number} bytes */
const sizeText = (bytes) => (bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${(bytes / 1e6).toFixed(1)} MB`);

/** @param {import("./panel.mjs").Shared} shared */
export function storageSection(shared) {
  const used = shared.results;
  const note = used
    ? used.free === null
      ? t("storage.no_folder", { n: used.pictures, used: sizeText(used.bytes) })
      : t("storage.used", { n: used.pictures, used: sizeText(used.bytes), free: sizeText(used.free) })
    : t("storage.empty");
  /** @param {string} name */
  const environmentNote = (name) => {
    const variable = shared.settings[name]?.variable ?? "";
    return t(shared.settings[name]?.set ? "storage.set" : "storage.unset", { variable });
  };
  return el(
    "section",
    {},
    el("h3", {}, t("storage.title")),
    setting(shared, "results_gb", t("storage.size"), { suffix: "GB", hint: note }),
    setting(shared, "parallel", t("storage.parallel"), { hint: t("storage.parallel_hint") }),
    el("div", { class: "nb-field" }, el("span", {}, t("storage.proxy")), el("div", { class: "nb-quiet" }, environmentNote("proxy"))),
    el("div", { class: "nb-field" }, el("span", {}, t("storage.ca")), el("div", { class: "nb-quiet" }, environmentNote("ca_bundle"))),
    el("div", { class: "nb-field" }, el("span", {}, t("storage.folder")), el("div", { class: "nb-quiet" }, environmentNote("results"))),
  );
}
