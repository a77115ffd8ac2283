/** The line on a running node that says how far it is, in the page's language. The host's own widget with that text is hidden. */

/** The host's own widget with the progress text. */
const HOST_TEXT = "$$node-text-preview";

/** Keeps the host's progress text off a node that was just made: the footer has the line. @param {Comfy.Node} node */
export function hideHostProgress(node) {
  const added = node.addCustomWidget;
  node.addCustomWidget = /** @type {typeof added} */ (
    /** @this {Comfy.Node} @param {any} widget */
    function (widget) {
      if (widget?.name === HOST_TEXT) {
        widget.hidden = true;
        (widget.options ??= {}).hidden = true; // Nodes 2.0 look there
      }
      return added.call(this, widget);
    }
  );
}

/**
 * @param {{ who: string, text: string }} progress `who`: provider and model.
 * @param {string} named What the node says anyway of who will be asked.
 */
export const progressLine = ({ who, text }, named) => (named.includes(who) ? text : `${who} · ${text}`);
