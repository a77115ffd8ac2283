/**
 * Messages from Python in the page's language. Python sends their English text everywhere, and beside it a table: English text
 * -> id and parameters, with which the text of the page's language is made. The texts are in `locales/<language>/messages.json`.
 */
import { api } from "/scripts/api.js";
import { filledText, withoutInnerStops } from "./filled_text.mjs";

/** @typedef {string | number | boolean | null | { id: string, parameters: Record<string, any> } | any[]} MessageData */
/** @typedef {Record<string, MessageData>} MessageTable */

/** The texts of the page's language by id; empty where the page is English. @type {Record<string, string>} */
let texts = {};

/** Messages of events, by their English text. @type {Map<string, MessageData>} */
const known = new Map();

/** So many messages of events are kept, the latest ones. */
const MOST_KNOWN = 2000;

/** Punctuation between two messages, as Python joins them, in Chinese. */
const PUNCTUATION = /** @type {Record<string, string>} */ ({
  "": "",
  ".": "。",
  ",": "，",
  ";": "；",
  ":": "：",
  "(": "（",
  ")": "）",
  " · ": " · ",
});

/** @param {string | undefined} language Other than English; undefined where the page is English. */
export async function loadCatalogue(language) {
  texts = {};
  if (!language) return;
  try {
    const answer = await api.fetchApi(`/nano_banana/messages/${language}`);
    if (answer.ok) texts = (await answer.json()).texts;
  } catch {
    // English is shown
  }
}

/** Whether messages are said in another language than English. */
export const translatesMessages = () => Object.keys(texts).length > 0;

/** Remembers the messages of an event: a later one may have their text alone. @param {MessageTable | undefined} table */
export function learnMessages(table) {
  if (!table || !translatesMessages()) return;
  for (const [text, data] of Object.entries(table)) {
    known.delete(text);
    known.set(text, data);
  }
  for (const text of known.keys()) {
    if (known.size <= MOST_KNOWN) break;
    known.delete(text);
  }
}

/** A text from Python in the page's language, where it is a message of an event. @param {string} text */
export const localizedText = (text) => (known.has(text) ? messageText(known.get(text)) : text);

/**
 * A JSON value with every text that is a message in the page's language.
 * @template T @param {T} value @param {MessageTable} [table] Else the messages of events.
 * @returns {T}
 */
export function localized(value, table) {
  const find = (/** @type {string} */ text) => (table && Object.hasOwn(table, text) ? table[text] : known.get(text));
  /** @param {any} each @returns {any} */
  const walk = (each) => {
    if (typeof each === "string") {
      const data = find(each);
      return data === undefined ? each : messageText(data);
    }
    if (Array.isArray(each)) return each.map(walk);
    if (each && typeof each === "object") return Object.fromEntries(Object.entries(each).map(([key, part]) => [key, walk(part)]));
    return each;
  };
  return translatesMessages() ? walk(value) : value;
}

/** @param {MessageData | undefined} data @returns {string} */
function messageText(data) {
  if (data === null || data === undefined) return "";
  if (Array.isArray(data)) return withoutInnerStops(data.map((part) => (typeof part === "string" ? punctuation(part) : messageText(part))).join(""));
  if (typeof data !== "object") return String(data);
  const text = texts[data.id] ?? data.id;
  const { parameters } = data;
  return withoutInnerStops(filledText(text, (name) => (name in parameters ? messageText(parameters[name]) : undefined)));
}

/** What stands between two messages; a text that says something stays. @param {string} text */
const punctuation = (text) => PUNCTUATION[text] ?? PUNCTUATION[text.trim()] ?? text;
