/** What the footers of the nodes open. */

/** What the footers can't do themselves; given by the entry so that nothing is imported in a circle. */
export const footerActions = {
  /** @param {Comfy.Node} node @returns {unknown} */
  openPicker: (node) => node,
  /** @param {Comfy.Node} node @returns {unknown} */
  newVariation: (node) => node,
  /** @param {string} [provider] @param {string} [setting] @returns {void} */
  openSettings: (provider, setting) => void [provider, setting],
};
