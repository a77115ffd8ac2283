/** The picture of a NanoBananaConversation on its node: its widget has the id of the bytes, which tells a person nothing. */
import { el } from "./dom.mjs";
import { forwardCanvasEvents } from "./canvas_events.mjs";
import { FOOTER, isConversation, onWidgetChange, valueOf, widgetOf } from "./graph.mjs";
import { keepNodeWidth } from "./footer_size.mjs";
import { pictureUrl } from "./server.mjs";
import { t } from "./i18n.mjs";

const CONTENT = /^[0-9a-f]{64}$/;
const HEIGHT = 180;
/** Longest side of the small copy that is shown. */
const SIDE = 512;
/** So much of an id is shown in the classic canvas. */
const SHORT = 8;

/** @param {Comfy.Node} node That was just made. */
export function showConversationPicture(node) {
  const widget = widgetOf(node, "picture");
  if (!isConversation(node) || !widget) return;
  const image = el("img", { alt: t("conversation.picture"), draggable: "false" });
  const words = el("p", { class: "nb-quiet" });
  const root = forwardCanvasEvents(el("div", { class: "nb-conversation" }, image, words));
  const says = (/** @type {string} */ text) => {
    words.textContent = text;
    image.hidden = Boolean(text);
  };
  image.addEventListener("error", () => says(t("conversation.not_here")));
  const draw = () => {
    const content = contentOf(node);
    says(content ? "" : t("conversation.none"));
    if (content) image.src = pictureUrl(content, SIDE);
    else image.removeAttribute("src");
  };
  const shown = node.addDOMWidget(FOOTER, "nano_banana_picture", root, {
    serialize: false,
    hideOnZoom: false,
    getValue: () => "",
    setValue: () => {},
    getMinHeight: () => HEIGHT,
  });
  shown.serialize = false;
  keepNodeWidth(shown);
  shortenInClassic(widget);
  followValue(node, widget, draw);
  draw();
}

/** The id of the picture; "" where there is none. @param {Comfy.Node} node */
function contentOf(node) {
  const [content = ""] = String(valueOf(node, "picture") ?? "").trim().toLowerCase().split(".");
  return CONTENT.test(content) ? content : "";
}

/** @param {Comfy.Node} node @param {Comfy.Widget} widget @param {() => void} changed */
function followValue(node, widget, changed) {
  onWidgetChange(widget, changed);
  const configured = node.onConfigure;
  node.onConfigure = function (saved) {
    configured?.call(this, saved);
    changed();
  };
}

/** @param {Comfy.Widget} widget */
function shortenInClassic(widget) {
  Object.defineProperty(widget, "_displayValue", {
    configurable: true,
    get: () => {
      const text = String(widget.value ?? "");
      return CONTENT.test(text.split(".")[0] ?? "") ? `${text.slice(0, SHORT)}…` : text;
    },
  });
}
