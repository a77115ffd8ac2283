/** Builds HTML elements. Text always goes in as text: nothing that a provider or a workflow says becomes markup. */
import { errorText } from "./server.mjs";
import { toast } from "./toast.mjs";

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, unknown>} [facts] Attributes; `class`, `on<event>` listeners and `dataset` are understood.
 * @param {...(Node | string | null | undefined | false)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function el(tag, facts = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(facts)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on") && typeof value === "function") {
      made.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    } else if (name === "class") {
      made.className = String(value);
    } else if (name === "value" && "value" in made) {
      made.value = /** @type {never} */ (String(value));
    } else {
      made.setAttribute(name, value === true ? "" : String(value));
    }
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

/**
 * A button that can't submit anything and is busy while its work goes on. Where that fails it says so: beside itself in a
 * dialog, which nothing can be shown above, else in the corner.
 * @param {string} text
 * @param {(event: Event) => unknown} work May return a promise.
 * @param {Record<string, unknown>} [facts]
 */
export function button(text, work, facts = {}) {
  const made = el("button", { type: "button", ...facts, class: `nb-button ${facts.class ?? ""}` }, text);
  const statusLine = el("span", { class: "nb-bad", role: "alert" });
  made.addEventListener("click", async (event) => {
    event.stopPropagation();
    if (made.getAttribute("aria-busy") === "true") return;
    made.setAttribute("aria-busy", "true");
    statusLine.remove();
    try {
      await work(event);
    } catch (error) {
      statusLine.textContent = errorText(error);
      if (made.closest("dialog")) made.after(statusLine);
      else toast("error", made.textContent || (made.ariaLabel ?? ""), errorText(error));
    } finally {
      made.removeAttribute("aria-busy");
    }
  });
  return made;
}

/** A button as data: what it says, and what it does. @typedef {{ text: string, title?: string, work: () => unknown }} Action */

/** @param {Action} action */
export const actionButton = ({ text, title, work }) => button(text, work, { title });

/** The frontend's icon of that name. @param {string} name Of PrimeIcons. */
export const icon = (name) => el("span", { class: `pi ${name}`, "aria-hidden": "true" });

/** Facts by their names, as a list. @param {[string, string][]} facts */
export const factList = (facts) => el("dl", {}, ...facts.flatMap(([name, value]) => [el("dt", {}, name), el("dd", { class: "nb-whole" }, value)]));

/** Keys typed in `element` are not the canvas's: Delete would remove nodes, Ctrl+Enter would queue. @param {HTMLElement} element */
export function stopKeyPropagation(element) {
  for (const name of ["keydown", "keyup", "keypress", "paste", "copy", "cut", "wheel"]) {
    element.addEventListener(name, (event) => {
      if (!(event instanceof KeyboardEvent && event.key === "Escape")) event.stopPropagation();
    });
  }
  return element;
}
