/** Where results are kept and how requests leave: sizes, requests at a time, and what only the environment may name. */
import { el } from "../element.mjs";
import { say } from "../words.mjs";
import { setting } from "./field.mjs";

/** @param {import("./panel.mjs").Shared} shared */
export function storageSection(shared) {
  const used = shared.results;
  const gigabytes = (/** @type {number} */ bytes) => (bytes / 1e9).toFixed(bytes < 1e9 ? 2 : 1);
  const note = used
    ? used.free === null
      ? say("storage.no_folder", { n: used.pictures, used: gigabytes(used.bytes) })
      : say("storage.used", { n: used.pictures, used: gigabytes(used.bytes), free: gigabytes(used.free) })
    : say("storage.empty");
  /** @param {string} name */
  const elsewhere = (name) => {
    const variable = shared.settings[name]?.variable ?? "";
    return say(shared.settings[name]?.set ? "storage.set" : "storage.unset", { variable });
  };
  return el(
    "section",
    {},
    el("h3", {}, say("storage.title")),
    setting(shared, "results_gb", say("storage.size"), { suffix: "GB", hint: note }),
    setting(shared, "parallel", say("storage.parallel"), { hint: say("storage.parallel_hint") }),
    el("div", { class: "nb-field" }, el("span", {}, say("storage.proxy")), el("div", { class: "nb-quiet" }, elsewhere("proxy"))),
    el("div", { class: "nb-field" }, el("span", {}, say("storage.ca")), el("div", { class: "nb-quiet" }, elsewhere("ca_bundle"))),
    el("div", { class: "nb-field" }, el("span", {}, say("storage.folder")), el("div", { class: "nb-quiet" }, elsewhere("results"))),
  );
}
