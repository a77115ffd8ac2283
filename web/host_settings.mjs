/** Settings of the host that are asked for with every frame: each is read once, and again when it changes. */
import { app } from "/scripts/app.js";

/** @type {Map<string, unknown>} */
const known = new Map();
/** @type {Set<() => void>} */
const listeners = new Set();

/** The events of the host's settings. @returns {EventTarget | undefined} */
const changes = () => /** @type {any} */ (app).ui?.settings;

/** @param {string} id @returns {unknown} */
export function hostSetting(id) {
  if (!known.has(id)) {
    const now = /** @type {any} */ (app.extensionManager).setting.get(id);
    if (!changes()?.addEventListener) return now;
    known.set(id, now);
    // The event comes before the host has stored the value.
    changes()?.addEventListener(`${id}.change`, (event) => {
      known.set(id, /** @type {CustomEvent} */ (event).detail.value);
      for (const listener of listeners) listener();
    });
  }
  return known.get(id);
}

/** @param {() => void} listener Called after one of the settings that were asked for has changed. */
export const onHostSetting = (listener) => void listeners.add(listener);
