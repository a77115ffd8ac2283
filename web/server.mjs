/** The pack's routes. Every failure is an `ApiError` with a text for a person. */
import { api } from "/scripts/api.js";
import { t } from "./i18n.mjs";
import { localized, translatesMessages } from "./server_messages.mjs";

/**
 * @typedef {{ name: string, generate: Capabilities | null, edit: Capabilities | null, family: string, recommended: boolean,
 *   added: boolean, like: string,
 *   price: { usd: Record<string, number>, source: string, dated: string, counted: Record<string, number>,
 *   counted_source: string } | null }} Model
 * @typedef {{ wire: string, ratios: string[], resolutions: string[], default_resolution: string, max_references: number,
 *   max_count: number, options: Record<string, string[] | null> }} Capabilities
 * @typedef {{ profile: string, state: "environment" | "stored" | "disabled" | "none", source: string, problem: string,
 *   replaceable: boolean, tested: { at: number, verdict: string, text: string } | null, balance: Balance | null }} KeyState
 * @typedef {{ amount: number, unit: string, when: number }} Balance
 * @typedef {{ id: string, label: string, dialect: string, own: boolean, built_in: boolean, from_file: boolean, local: boolean, needs_key: boolean,
 *   key_url: string, usage_url: string, recommended: string, models: Model[], keys: KeyState[],
 *   names_balance: boolean, balance: Balance | null, key_variable: string, base_url: string,
 *   base_url_source: string, base_url_problem: string, base_url_variable: string, auth?: string,
 *   model?: string }} Provider
 * @typedef {{ providers: Provider[], dialects: Record<string, string>, auths: string[], profiles: string[],
 *   mistakes: string[] }} ProviderState
 * @typedef {{ kind: string, what: string, cure: string, model?: import("./permission.mjs").AskedModel }} Problem
 * @typedef {{ number?: number, input: string, from: string, width?: number, height?: number }} Reference
 * @typedef {{ slots: number[], frame: number, method?: string, url?: string, headers?: Record<string, string>, body?: string }} Sent
 * @typedef {{ model?: string, resolution?: string, usd_each?: number | null, usd_counted_each?: number, usd?: number | null,
 *   usd_counted?: number, usd_now_each?: number | null, usd_batch_each?: number | null, problem?: string,
 *   price_source?: string, price_dated?: string, counted_source?: string }} Offer
 * @typedef {Offer & { provider: string, label: string, usable: boolean, local: boolean, key_url: string, models: Offer[] }} Elsewhere
 * @typedef {{ node: string, operation: string, problem: Problem | null, provider?: string, label?: string, model?: string,
 *   resolution?: string, pictures?: number, stored?: number | null, usd_each?: number | null, usd?: number | null,
 *   usd_counted_each?: number, usd_counted?: number, price_source?: string, price_dated?: string, counted_source?: string,
 *   delivery?: "now" | "batch", ordered?: number, usd_now_each?: number | null, usd_batch_each?: number | null,
 *   notices?: string[], sends?: Sent[],
 *   references?: Reference[], sure?: boolean, frames_known?: boolean, everywhere?: Elsewhere[],
 *   elements?: import("./linked_lists.mjs").Length }} Estimate `elements` is added by the page.
 * @typedef {{ id: string, state: string, provider: string, label: string, model: string, profile: string,
 *   operation: string, prompt: string, text: string, usd: number, exact: boolean, created: number, reason: string,
 *   task: string, picture: boolean, running: boolean, recoverable: boolean, in_doubt: boolean, asked_again: boolean,
 *   role: "" | "extra", answer: string, favourite: boolean, format: string, content: string, order: string, away: boolean,
 *   conversation: boolean, masked: boolean, order_unread: boolean }} Result `conversation`: its earlier words are kept and can be sent again. `masked`: it
 *   was edited with a mask, and is shown as the provider sent it. `order_unread`: what the provider answers about its order can't be read.
 * @typedef {{ slot: number, frame: number, reason: string, charged: string, id?: string, answer?: string, provider?: string,
 *   usd?: number, again?: boolean }} Failed
 * @typedef {{ value: string | string[], source: "environment" | "settings" | "default", variable: string, set?: boolean }} Setting
 */

/** The server refused the request, or could not be reached. */
export class ApiError extends Error {
  /** @param {number} status @param {Problem} problem @param {string} [unknownHost] The page's name, where that is why. */
  constructor(status, problem, unknownHost) {
    super([problem.what, problem.cure].filter(Boolean).join(" "));
    this.status = status;
    this.problem = problem;
    this.unknownHost = unknownHost;
  }
}

/** What is done about refusals; given by the entry so that nothing is imported in a circle. */
export const refusalHandlers = {
  /** The page is open under a name that the server doesn't know to be its own. @param {string} name @returns {void} */
  unknownHost: (name) => void name,
};

/**
 * @param {string} path Below /nano_banana.
 * @param {{ method?: string, body?: unknown, signal?: AbortSignal }} [facts]
 * @returns {Promise<any>} The answer's JSON; the caller knows its shape.
 */
export async function ask(path, { method = "GET", body, signal } = {}) {
  /** @type {RequestInit} */
  const request = { method, signal: signal ?? null };
  /** @type {Record<string, string>} */
  const headers = translatesMessages() ? { "X-Nano-Banana-Messages": "yes" } : {};
  request.headers = headers;
  if (body !== undefined || method === "POST" || method === "PUT") {
    headers["Content-Type"] = "application/json";
    request.body = JSON.stringify(body ?? {});
  }
  let answer;
  let value;
  try {
    answer = await api.fetchApi(`/nano_banana${path}`, request);
    value = await answer.json();
    if (value?.messages) value = localized(value, value.messages);
  } catch (error) {
    // Also in the middle of the answer. What is no JSON at all is another server's page about an error.
    if (signal?.aborted) throw error;
    if (!answer || answer.ok) throw new ApiError(0, { kind: "network", what: t("server.silent"), cure: "" });
  }
  if (!answer.ok) {
    if (value?.unknown_host) refusalHandlers.unknownHost(String(value.unknown_host));
    const problem = value?.error ?? { kind: "http", what: t("server.answered", { status: answer.status }), cure: "" };
    throw new ApiError(answer.status, problem, value?.unknown_host);
  }
  return value;
}

/**
 * Listens to an event that the pack's server sends. Frontends before 1.41.6 have no listener of their own for such events: there
 * the usual one takes any name.
 * @param {string} name @param {(detail: any) => void} work Given what the event carries.
 */
export function onServerEvent(name, work) {
  const listen = /** @type {(name: string, heard: (event: any) => void) => void} */ (api.addCustomEventListener ?? api.addEventListener);
  listen.call(api, name, (event) => work(event.detail));
}

/** The text that a person reads of an error. @param {unknown} error */
export const errorText = (error) => (error instanceof Error ? error.message : String(error));

/** Where a picture of the results is. @param {string} id @param {number} [side] Longest side in pixels. */
export const pictureUrl = (id, side) =>
  api.apiURL(`/nano_banana/results/${encodeURIComponent(id)}/image${side ? `?max=${side}` : ""}`);
