/** What is known about a picture, beside it in the viewer. */
import { el, factList } from "../dom.mjs";
import { t, when } from "../i18n.mjs";
import { costOf, modelLine, stateOf } from "./facts.mjs";

/** @typedef {import("../server.mjs").Result} Result */

/**
 * @param {Result} result
 * @param {[number, number]} size In pixels; zeros where it isn't known.
 */
export function details(result, [width, height]) {
  const [state] = stateOf(result);
  /** @type {[string, string][]} */
  const facts = [
    [t("details.model"), modelLine(result)],
    [t("details.price"), costOf(result) || t("results.extra")],
    [t("details.when"), when(result.created)],
    [t("details.size"), width ? `${width} × ${height}` : ""],
    [t("details.format"), result.format.toUpperCase()],
    [t("details.key"), result.profile === "default" ? "" : result.profile],
    [t("details.state"), state],
    [t("details.text"), result.text],
  ];
  return el(
    "div",
    { class: "nb-details" },
    el("h3", {}, t("details.prompt")),
    el("p", { class: "nb-whole" }, result.prompt),
    factList(facts.filter(([, value]) => value)),
  );
}
