/** Short messages in the corner, only for what a person has to know now. */
import { app } from "/scripts/app.js";
import { keepPlaced } from "./toast_place.mjs";

/** @param {"info" | "success" | "warn" | "error"} severity @param {string} summary @param {string} detail */
export function toast(severity, summary, detail) {
  const message = { severity, summary, detail, life: severity === "success" ? 8000 : 15000, styleClass: "nb-toast" };
  keepPlaced();
  app.extensionManager.toast.add(message);
}
