/** How the queue of this page runs. */
import { app } from "/scripts/app.js";

/** The frontend's store of it; undefined where it has none. */
export const queueSettings = () => /** @type {any} */ (app.extensionManager).queueSettings;

/** "disabled" where only a click runs something, else "change" or "instant". */
export const queueMode = () => String(queueSettings()?.mode ?? "disabled").replace(/-.*/, "");

/**
 * Calls this before each run of the page, and before what was given earlier. Nothing runs where its answer is false.
 * @param {(targets: string[] | undefined) => boolean | Promise<boolean>} mayRun Gets the ids of the nodes that are asked for; undefined: all.
 */
export function beforeRuns(mayRun) {
  const queuePrompt = /** @type {(...given: unknown[]) => Promise<boolean>} */ (app.queuePrompt.bind(app));
  /** @param {number} number @param {number} [count] @param {any} [options] */
  const run = async (number, count, options) => {
    const targets = Array.isArray(options) ? options : options?.queueNodeIds;
    return (await mayRun(targets)) ? queuePrompt(number, count, options) : false;
  };
  app.queuePrompt = /** @type {any} */ (run);
}

/** Changes the graph without a run for that: in the mode "change" the page queues after each change by itself. @param {() => void} change */
export function withoutAutoQueue(change) {
  const settings = queueSettings();
  if (queueMode() !== "change") return change();
  const { mode } = settings;
  settings.mode = "disabled";
  try {
    change();
  } finally {
    settings.mode = mode;
  }
}
