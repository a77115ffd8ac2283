/** What the nodes of a prompt would pay, because their pictures aren't stored. */
import { ask } from "./server.mjs";

/** @typedef {import("./server.mjs").Estimate} Estimate */
/** @typedef {{ n: number, usd: number | null, sure: boolean }} Missing Pictures, their price where it is known, and whether that is all. */

/**
 * Asks the server. Fails with an ApiError.
 * @param {Comfy.Prompt} prompt @param {string} [without] Id of a node in it that doesn't count. @returns {Promise<Missing>}
 */
export async function missingPictures(prompt, without) {
  const answer = await ask("/estimate", { method: "POST", body: { prompt, detail: true } });
  /** @type {[string, Estimate][]} */
  const all = Object.entries(answer.nodes);
  const nodes = all.filter(([id]) => id !== without).map(([, node]) => node);
  const unknown = answer.left_out || nodes.some((node) => node.usd === null || node.usd === undefined);
  return {
    n: nodes.reduce((sum, node) => sum + (node.pictures ?? 0) - (node.stored ?? 0), 0),
    usd: unknown ? null : nodes.reduce((sum, node) => sum + (node.usd ?? 0), 0),
    sure: !answer.left_out && nodes.every((node) => node.sure),
  };
}
