/** Says of a picture that was edited with a mask that it is shown as the provider sent it, and not as the graph got it. */
import { el } from "../dom.mjs";
import { t } from "../i18n.mjs";

/** @param {import("../server.mjs").Result} result */
export const maskedLabel = ({ picture, masked }) =>
  picture && masked ? el("span", { class: "nb-masked", title: t("origin.masked") }, t("results.masked")) : null;
