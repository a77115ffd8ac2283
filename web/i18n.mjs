/** The texts of the pages, in the language that the frontend is set to. They are in `i18n/<language>.json`. */
import { app } from "/scripts/app.js";
import { usdDigits } from "./amounts.mjs";
import { filledText } from "./filled_text.mjs";
import { loadCatalogue } from "./server_messages.mjs";

/** @type {Record<string, string>} */
let english = {};
/** @type {Record<string, string>} */
let chosen = {};

const LANGUAGES = ["zh"];
/** The language that is shown where it isn't English; else the browser says how moments are written. @type {string | undefined} */
let language;
/** The frontend's language that the texts were loaded for. */
let shownFor = "";

/** Loads the texts; until then, and where one is missing, English is shown. */
export async function loadMessages() {
  const wanted = String(app.extensionManager.setting.get("Comfy.Locale") ?? "en");
  shownFor = wanted;
  language = LANGUAGES.find((each) => each === wanted);
  [english, chosen] = await Promise.all([read("en"), language ? read(language) : {}, loadCatalogue(language)]);
}

/** @param {(text: string) => void} say Called with a text in the new language once another one is chosen: what is shown stays as it is. */
export function followLanguage(say) {
  const changes = /** @type {EventTarget | undefined} */ (/** @type {any} */ (app).ui?.settings);
  changes?.addEventListener?.("Comfy.Locale.change", async (event) => {
    const wanted = String(/** @type {CustomEvent} */ (event).detail.value);
    if (wanted === shownFor) return;
    const texts = await read(LANGUAGES.includes(wanted) ? wanted : "en");
    say(texts["language.reload"] ?? t("language.reload"));
  });
}

/** Whether something other than English is shown. */
export const translated = () => language !== undefined;

/**
 * A text by its name, with `{names}` in it replaced; with n = 1 the one called `<name>.one`, where there is one.
 * @param {string} name
 * @param {Record<string, string | number>} [values]
 */
export function t(name, values = {}) {
  const one = values["n"] === 1 ? `${name}.one` : name;
  const text = chosen[one] ?? chosen[name] ?? english[one] ?? english[name] ?? name;
  return filledText(text, (key) => (values[key] === undefined || values[key] === null ? undefined : String(values[key])));
}

/** Sentences in a row: after a Chinese one there is no space. @param {string[]} parts */
export const sentences = (...parts) => parts.filter(Boolean).reduce((text, part) => `${text}${text.endsWith("。") ? "" : " "}${part}`, "").trim();

/** US dollars. @param {number | null | undefined} usd */
export function money(usd) {
  if (usd === null || usd === undefined) return t("price.unknown");
  if (usd === 0) return t("price.free");
  return `$${usdDigits(usd)}`;
}

/** A sum in US dollars: no money is $0 in it, and not free. @param {number} usd */
export const sumText = (usd) => (usd ? money(usd) : "$0");

/** The balance of an account. @param {import("./server.mjs").Balance} balance */
export function balanceText({ amount, unit }) {
  const text = Number.isInteger(amount) && unit !== "USD" ? String(amount) : amount.toFixed(2);
  if (unit === "USD") return amount < 0 ? `-$${text.slice(1)}` : `$${text}`;
  return unit === "credits" ? t("balance.credits", { n: text }) : `${text} ${unit}`.trim();
}

/**
 * The price of one picture, and what it counts as against the caps where that is more.
 * @param {{ usd_each?: number | null, usd_counted_each?: number }} estimate
 */
export function priceOfOne({ usd_each: usd, usd_counted_each: counted }) {
  const dearer = usd !== null && usd !== undefined && counted !== undefined && counted > usd;
  return dearer ? t("price.both", { usd: money(usd), counted: money(counted) }) : money(usd);
}

/** What was spent, and of how much. @param {number} usd @param {number | null | undefined} cap */
export function spentOf(usd, cap) {
  const spent = sumText(usd);
  return cap === null || cap === undefined ? spent : t("spend.of", { usd: spent, cap: Number.isInteger(cap) ? `$${cap}` : sumText(cap) });
}

/** A moment, as the language or this browser writes it: the year of this year and the day of today go without saying. @param {number} seconds Unix time. */
export function when(seconds) {
  const at = new Date(seconds * 1000);
  const now = new Date();
  const time = /** @type {const} */ ({ hour: "2-digit", minute: "2-digit" });
  if (now.toDateString() === at.toDateString()) return at.toLocaleTimeString(language, time);
  const day = /** @type {const} */ ({ month: "short", day: "numeric", ...time });
  return at.toLocaleString(language, now.getFullYear() === at.getFullYear() ? day : { year: "numeric", ...day });
}

/** @param {string} language @returns {Promise<Record<string, string>>} */
async function read(language) {
  try {
    const answer = await fetch(new URL(`i18n/${language}.json`, import.meta.url));
    return answer.ok ? await answer.json() : {};
  } catch {
    return {};
  }
}
