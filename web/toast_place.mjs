/** Keeps our messages in the corner beside the host's bars, panels and boxes, and off the buttons below our nodes, while one is shown. */

/** In pixels: to a box, to the edge of the canvas, and the height below which a button can't be pressed. */
const [GAP, EDGE, LEAST] = [6, 16, 8];
/** The host's, over the canvas. */
const BOXES =
  '[data-testid="error-overlay"], [data-testid="queue-notification-banner"], [data-testid="queue-progress-overlay"], .actionbar-container, .actionbar, .comfy-menu';
/** The host's part of the page between its bars and panels. */
const CANVAS = ".graph-canvas-panel";
const BUTTONS = ".nb-footer :is(button, summary)";

/** @typedef {{ left: number, top: number, right: number, bottom: number }} Box */

/** @type {(() => void) | undefined} */
let stop;

/** Call it with each message. */
export function keepPlaced() {
  if (stop) return;
  const { body } = document;
  let [shown, waiting] = [false, false];
  const look = () => {
    waiting = false;
    const stack = body.querySelector(".p-toast:has(.nb-toast)");
    if (stack) place(stack, document.querySelector(CANVAS));
    else if (shown) stop?.();
    shown ||= Boolean(stack);
  };
  const changed = () => {
    if (!waiting) requestAnimationFrame(look);
    waiting = true;
  };
  const [mutations, sizes] = [new MutationObserver(changed), new ResizeObserver(changed)];
  mutations.observe(body, { childList: true, subtree: true });
  const canvas = document.querySelector(CANVAS);
  if (canvas) sizes.observe(canvas); // a panel of the host takes of its room
  stop = () => {
    mutations.disconnect();
    sizes.disconnect();
    stop = undefined;
  };
}

/**
 * The free place of the canvas that is nearest to where the host would put the messages.
 * @param {Element} stack Of all messages. @param {Element | null} canvas
 */
function place(stack, canvas) {
  const { style } = document.documentElement;
  for (const name of ["--nb-toast-down", "--nb-toast-left"]) style.removeProperty(name);
  const { left, top, right, height } = stack.getBoundingClientRect();
  const room = canvas?.getBoundingClientRect() ?? { left: 0, right: innerWidth, bottom: innerHeight };
  const nearest = { down: 0, aside: Math.max(0, right - room.right + EDGE) };
  const find = (/** @type {Box[]} */ boxes, /** @type {Box[]} */ buttons) => {
    const taken = [...boxes, ...buttons];
    const downs = [0, ...taken.map((each) => each.bottom + GAP - top)].filter((down) => down >= 0 && top + down + height <= room.bottom);
    const asides = [nearest.aside, ...boxes.map((each) => right - each.left + GAP)].filter((aside) => aside >= nearest.aside && left - aside >= room.left);
    const isFree = (/** @type {number} */ down, /** @type {number} */ aside) =>
      taken.every((each) => each.bottom <= top + down || each.top >= top + down + height || each.right <= left - aside || each.left >= right - aside);
    return asides
      .flatMap((aside) => downs.filter((down) => isFree(down, aside)).map((down) => ({ down, aside })))
      .sort((one, other) => one.down + one.aside - other.down - other.aside)[0];
  };
  const boxes = boxesOf(BOXES);
  const { down, aside } = find(boxes, boxesOf(BUTTONS)) ?? find(boxes, []) ?? nearest;
  style.setProperty("--nb-toast-down", `${down}px`);
  style.setProperty("--nb-toast-left", `${aside}px`);
}

/** Those that are large enough to be pressed. @param {string} selector @returns {Box[]} */
const boxesOf = (selector) => [...document.querySelectorAll(selector)].map((each) => each.getBoundingClientRect()).filter((each) => each.height > LEAST);
