/** Puts text on the clipboard, also where the browser gives no clipboard: on a page that came over plain HTTP from the LAN. */
import { el } from "./dom.mjs";

/** @param {string} text */
export async function copyText(text) {
  const clipboard = /** @type {Clipboard | undefined} */ (navigator.clipboard);
  if (clipboard) {
    await clipboard.writeText(text);
    return;
  }
  const before = document.activeElement;
  const field = el("textarea", { readonly: true, class: "nb-aside", value: text });
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
  if (before instanceof HTMLElement) before.focus();
}
