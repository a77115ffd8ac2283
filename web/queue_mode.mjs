/** How the queue of this page runs. */
import { app } from "/scripts/app.js";

/** The frontend's store of it; undefined where it has none. */
export const queueSettings = () => /** @type {any} */ (app.extensionManager).queueSettings;

/** "disabled" where only a click runs something, else "change" or "instant". */
export const queueMode = () => String(queueSettings()?.mode ?? "disabled").replace(/-.*/, "");
