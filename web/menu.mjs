/** A button that opens a short list of commands. It closes as menus do: with Escape, a click elsewhere, or a choice. */
import { el } from "./dom.mjs";

/** @param {string} name @param {HTMLButtonElement[]} items */
export function menu(name, items) {
  const summary = el("summary", { "aria-label": name, title: name }, "⋯");
  const root = el("details", { class: "nb-menu" }, summary, el("div", { class: "nb-menu-items" }, ...items));
  /** @param {Event} event */
  const closeOnOutsideClick = (event) => {
    if (!event.composedPath().includes(root)) root.open = false;
  };
  root.addEventListener("toggle", () => {
    // The frontend keeps many events to itself, hence before anybody else gets them.
    if (root.open) document.addEventListener("pointerdown", closeOnOutsideClick, true);
    else document.removeEventListener("pointerdown", closeOnOutsideClick, true);
  });
  root.addEventListener("focusout", (event) => {
    if (event.relatedTarget instanceof Node && !root.contains(event.relatedTarget)) root.open = false;
  });
  root.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !root.open) return;
    event.preventDefault();
    event.stopPropagation();
    root.open = false;
    summary.focus();
  });
  const close = () => {
    root.open = false;
    summary.focus(); // before the work begins: a dialog gives the focus back to where it came from
  };
  for (const item of items) item.addEventListener("click", close, true);
  return root;
}
