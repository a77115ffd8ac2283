/** What is said about a result: its state, its price, its names. */
import { money, sentences, t, when } from "../i18n.mjs";
import { localizedText } from "../server_messages.mjs";

/** @typedef {import("../server.mjs").Result} Result */

/** Whether money may be lost: what such a row says is shown whole. @param {Result} result */
export const moneyMayBeLost = ({ running, state, recoverable, answer, in_doubt: inDoubt }) =>
  !running && state !== "stored" && !recoverable && Boolean(answer || inDoubt);

/** Whether nothing came, nothing was charged and nothing can be done about it. @param {Result} result */
export const hasFailed = (result) =>
  !result.usd && !result.running && result.state !== "stored" && !result.recoverable && !moneyMayBeLost(result);

/** What is said about its price; "" for a picture that has none of its own. @param {Result} result */
export function costOf({ role, usd, state, exact }) {
  if (role === "extra") return "";
  if (usd === 0) return t(state === "stored" ? "price.free" : "results.no_cost");
  return `${exact ? "" : "≈ "}${money(usd)}`;
}

/** What is said about its state, and how gravely. @param {Result} result @returns {[string, string]} */
export function stateOf(result) {
  if (result.order_unread) return [t("state.ordered_unread", { provider: result.label }), "warn"];
  if (result.order) return [t("state.ordered"), "plain"];
  if (result.running) return [t("state.running"), "plain"];
  if (result.state === "stored") return [result.picture ? "" : t(result.away ? "state.away" : "state.gone"), "plain"];
  if (result.recoverable) return [t("state.recoverable"), "warn"];
  if (result.answer) return [t("state.unread", { provider: result.label, file: result.answer }), "bad"];
  if (result.in_doubt) return [sentences(t(result.asked_again ? "state.doubt_again" : "state.doubt"), localizedText(result.reason)), "bad"];
  return [sentences(t("state.failed"), localizedText(result.reason)), "plain"];
}

/** Wire ids are long. @param {string} model */
export const shortModel = (model) => model.replace(/^.*\//, "").replace(/-(text|image)-to-image$/, "");

/** @param {Result} result */
export const modelLine = (result) => `${result.label} · ${shortModel(result.model)}`;

/** What "≈" means; "" where the price is the provider's own. @param {Result} result */
export const costMeaning = ({ role, usd, exact }) => (role !== "extra" && usd && !exact ? t("results.listed_price") : "");

/** @param {Result} result */
export const costLine = (result) => [costOf(result), when(result.created)].filter(Boolean).join(" · ");

/** The name of its file where a person saves it. @param {Result} result */
export function fileName({ created, model, id, format }) {
  const at = new Date(created * 1000);
  const part = (/** @type {number} */ value) => String(value).padStart(2, "0");
  const day = `${at.getFullYear()}${part(at.getMonth() + 1)}${part(at.getDate())}-${part(at.getHours())}${part(at.getMinutes())}`;
  return `${day}-${shortModel(model).replace(/[^\w.-]/g, "_")}-${id.slice(0, 8)}.${format || "bin"}`;
}

/** How a screen reader names a button of a picture among those of other pictures. @param {string} action @param {Result} result */
export const actionName = (action, result) => t("results.action_name", { action, prompt: shortPrompt(result) });

/** @param {Result} result */
const shortPrompt = (result) => result.prompt.slice(0, 200);

/** How a screen reader names a picture in a row. @param {Result} result */
export const openName = (result) => t("results.open_name", { prompt: shortPrompt(result) });

/**
 * How a screen reader names a picture.
 * @param {Result} result @param {number} place From 1. @param {number} count
 */
export const pictureName = (result, place, count) =>
  t("results.picture_name", { n: place, count, prompt: shortPrompt(result) });
