/** The results panel: every picture that was asked for, newest first, and what can be done with it. */
import { app } from "/scripts/app.js";
import { copyText } from "./clipboard.mjs";
import { button, el, stopKeyPropagation } from "./dom.mjs";
import { confirmDialog } from "./dialog.mjs";
import { asOneUndoStep } from "./graph.mjs";
import { VirtualList } from "./virtual_list.mjs";
import { menu } from "./menu.mjs";
import { toast } from "./toasting.mjs";
import { ask, pictureUrl, errorText } from "./server.mjs";
import { money, t, spentOf, when } from "./i18n.mjs";

/** @typedef {import("./server.mjs").Result} Result */

const ROW_HEIGHT = 146;
const THUMBNAIL = 256;
const PAGE = 60;
const NEXT_PAGES = 200;
const DEBOUNCE_MS = 250;

/** @type {Panel | null} */
let shown = null;

/** The sidebar tab. @returns {Comfy.SidebarTab} */
export function resultsTab() {
  return {
    id: "nano-banana-results",
    title: t("results.title"),
    tooltip: t("results.tooltip"),
    icon: "pi pi-images",
    type: "custom",
    render(container) {
      shown = new Panel();
      container.classList.add("nb-results-frame");
      container.replaceChildren(shown.root);
      shown.reload();
    },
    destroy() {
      shown = null;
    },
  };
}

/** Something new may have come in. */
export function refreshResults() {
  shown?.refresh();
}

/** Fetches what is paid and not here yet, and says what came of it. */
export async function recoverAll() {
  showRecoveryToast(await ask("/results/recover", { method: "POST" }));
  refreshResults();
}

/** @param {{ ended: boolean, failed: number, text: string }} answer */
function showRecoveryToast({ ended, failed, text }) {
  const words = ended ? text || t("results.nothing_to_recover") : t("results.still_recovering");
  toast(failed ? "warn" : "success", t("results.recover"), words);
}

/**
 * Has kept answers read again, in which no picture could be read, and says what came of it.
 * @param {string[]} ids A picture of each answer.
 * @returns {Promise<{ pictures: number, reasons: string[] }>} What could be read, and why the rest could not.
 */
export async function rereadAnswers(ids) {
  let pictures = 0;
  /** @type {Set<string>} */
  const reasons = new Set();
  for (const id of ids) {
    const found = await ask(`/results/${encodeURIComponent(id)}/read`, { method: "POST" });
    pictures += found.pictures;
    if (found.reason) reasons.add(found.reason);
  }
  const lines = pictures ? [t("results.was_read", { n: pictures })] : [];
  if (reasons.size) lines.push(t("results.still_unread"), ...reasons);
  toast(reasons.size ? "warn" : "success", t("results.read"), lines.join("\n"));
  refreshResults();
  return { pictures, reasons: [...reasons] };
}

/** Runs the work of a button and shows its failure as a toast. @param {string} name Of the button's text. @param {() => unknown} work */
async function withErrorToast(name, work) {
  try {
    await work();
  } catch (error) {
    toast("error", t(name), errorText(error));
  }
}

class Panel {
  constructor() {
    this.search = el("input", { type: "search", placeholder: t("results.search"), "aria-label": t("results.search") });
    this.spent = el("span", { class: "nb-quiet" });
    this.empty = el("p", { class: "nb-quiet nb-empty" });
    this.list = new VirtualList(
      ROW_HEIGHT,
      (/** @type {Result} */ result) => this.row(result),
      () => void this.more(),
      (result) => moneyMayBeLost(result),
    );
    this.root = stopKeyPropagation(
      el(
        "div",
        { class: "nb-results" },
        el("div", { class: "nb-row" }, this.search, this.menu()),
        this.spent,
        this.empty,
        this.list.root,
      ),
    );
    /** @type {string | null} */
    this.next = null;
    this.loading = false;
    this.query = "";
    this.timer = 0;
    this.turn = 0;
    this.search.addEventListener("input", () => {
      window.clearTimeout(this.timer);
      this.timer = window.setTimeout(() => {
        this.query = this.search.value.trim();
        this.reload();
      }, DEBOUNCE_MS);
    });
  }

  menu() {
    const monthAgo = () => Date.now() / 1000 - 30 * 86400;
    return menu(t("results.more"), [
      button(t("results.recover"), () => withErrorToast("results.recover", recoverAll)),
      button(t("results.forget_old"), () => this.forgetMany("results.forget_old_sure", () => `before=${monthAgo()}`)),
      button(t("results.forget_all"), () => this.forgetMany("results.forget_all_sure", () => "all=yes"), { class: "nb-danger" }),
    ]);
  }

  /** Loads the first page and today's sum. @param {"begin" | "refresh"} how A refresh leaves everything where it is. */
  reload(how = "begin") {
    void this.load(how);
    ask("/spend")
      .then((spent) => {
        this.spent.textContent = `${t("spend.today")} ${spentOf(spent.today.usd, spent.caps.day)}`;
      })
      .catch(() => undefined); // the list says what is wrong
  }

  refresh() {
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.reload("refresh"), DEBOUNCE_MS);
  }

  async more() {
    if (this.next && !this.loading) await this.load("more");
  }

  /** @param {"begin" | "refresh" | "more"} how */
  async load(how) {
    const turn = (this.turn += 1);
    this.loading = true;
    try {
      const cursor = how === "more" && this.next ? `&cursor=${encodeURIComponent(this.next)}` : "";
      const limit = how === "more" ? NEXT_PAGES : PAGE;
      const answer = await ask(`/results?limit=${limit}&query=${encodeURIComponent(this.query)}${cursor}`);
      if (turn !== this.turn) return; // somebody typed on
      this.loading = false;
      if (how === "refresh") this.mergeNewestPage(answer);
      else {
        this.next = answer.next;
        if (how === "more") this.list.append(answer.results);
        else this.list.reset(answer.results);
      }
      this.empty.textContent = this.list.length ? "" : t(this.query ? "results.none_found" : "results.empty");
    } catch (error) {
      if (turn === this.turn) this.empty.textContent = errorText(error);
    } finally {
      if (turn === this.turn) this.loading = false;
    }
  }

  /**
   * The newest page takes the place of what was known of its time; what is older stays, so that nobody who has scrolled
   * far down is thrown back.
   * @param {{ results: Result[], next: string | null }} answer
   */
  mergeNewestPage({ results, next }) {
    const last = results.at(-1);
    const known = last && next ? this.list.items.findIndex((each) => each.id === last.id) : -1;
    if (known < 0) this.next = next;
    this.list.replace(known < 0 ? results : [...results, ...this.list.items.slice(known + 1)]);
  }

  /** @param {Result} result */
  row(result) {
    const picture = result.picture
      ? el("img", { src: pictureUrl(result.id, THUMBNAIL), alt: result.prompt, loading: "lazy", decoding: "async", draggable: "false" })
      : el("span", { class: "nb-no-picture" }, result.running ? "…" : "?");
    const frame = result.picture
      ? el("a", { class: "nb-thumbnail", href: pictureUrl(result.id), target: "_blank", rel: "noopener" }, picture)
      : el("div", { class: "nb-thumbnail" }, picture);
    const [state, tone] = stateOf(result);
    return el(
      "article",
      { class: "nb-result", "data-tone": tone, "data-id": result.id },
      frame,
      el(
        "div",
        { class: "nb-result-facts" },
        el("p", { class: "nb-prompt", title: result.prompt }, result.prompt),
        line(`${result.label} · ${shortModel(result.model)}`),
        line([costOf(result), when(result.created)].filter(Boolean).join(" · ")),
        result.role === "extra" ? el("p", { class: "nb-quiet nb-line", title: t("results.extra_title") }, t("results.extra")) : null,
        state ? el("p", { class: "nb-state", "data-tone": tone, title: moneyMayBeLost(result) ? undefined : state }, state) : null,
        result.answer ? el("p", { class: "nb-quiet nb-said" }, result.reason) : null,
      ),
      el("div", { class: "nb-actions nb-small" }, ...this.actions(result)),
    );
  }

  /** @param {Result} result */
  actions(result) {
    const path = `/results/${encodeURIComponent(result.id)}`;
    /** @type {HTMLElement[]} */
    const found = [];
    /** @param {string} name @param {() => unknown} work @param {string} [style] */
    const add = (name, work, style = "") =>
      found.push(
        button(t(`results.${name}`), () => withErrorToast(`results.${name}`, work), {
          class: style,
          title: t(`results.${name}_title`),
        }),
      );
    if (result.recoverable) {
      add("recover_one", async () => {
        showRecoveryToast(await ask(`${path}/recover`, { method: "POST" }));
        this.reload("refresh");
      }, "nb-main");
    }
    if (result.answer) add("read", () => rereadAnswers([result.id]), "nb-main");
    add("graph", () => openWorkflow(result));
    if (result.picture) add("insert", () => insertPicture(result));
    add("copy", () => copyText(result.prompt));
    if (!result.running) {
      add("forget", async () => {
        if (!(await confirmDialog(t("results.forget_sure"), t("results.forget")))) return;
        await ask(path, { method: "DELETE" });
        this.list.replace(this.list.items.filter((each) => each.id !== result.id));
        this.reload("refresh");
      }, "nb-danger");
    }
    return found;
  }

  /** @param {string} question @param {() => string} which */
  async forgetMany(question, which) {
    if (!(await confirmDialog(t(question), t("results.forget")))) return;
    await withErrorToast("results.forget", async () => {
      const answer = await ask(`/results?${which()}`, { method: "DELETE" });
      toast("success", t("results.forget"), t("results.forgotten", { n: answer.forgotten }));
    });
    this.reload();
  }
}

/** Whether money may be lost: what such a row says is shown whole. @param {Result} result */
const moneyMayBeLost = (result) => stateOf(result)[1] === "bad";

/** What a row says about its price; "" for a picture that has none of its own. @param {Result} result */
function costOf({ role, usd, state, exact }) {
  if (role === "extra") return "";
  if (usd === 0) return t(state === "stored" ? "price.free" : "results.no_cost");
  return `${exact ? "" : "≈ "}${money(usd)}`;
}

/** What a row says about its state, and how gravely. @param {Result} result @returns {[string, string]} */
function stateOf(result) {
  if (result.running) return [t("state.running"), "plain"];
  if (result.state === "stored") return [result.picture ? "" : t("state.gone"), "plain"];
  if (result.recoverable) return [t("state.recoverable"), "warn"];
  if (result.answer) return [t("state.unread", { provider: result.label, file: result.answer }), "bad"];
  if (result.in_doubt) return [`${t("state.doubt")} ${result.reason}`.trim(), "bad"];
  return [`${t("state.failed")} ${result.reason}`.trim(), "plain"];
}

/** Where the panel is too narrow for a line, the rest of it is read by pointing at it. @param {string} text */
const line = (text) => el("p", { class: "nb-quiet nb-line", title: text }, text);

/** Wire ids are long. @param {string} model */
const shortModel = (model) => model.replace(/^.*\//, "").replace(/-(text|image)-to-image$/, "");

/** Opens the workflow that asked for a picture, beside what is open. @param {Result} result */
async function openWorkflow(result) {
  const graph = await ask(`/results/${encodeURIComponent(result.id)}/graph`);
  const name = t("results.graph_name", { when: when(result.created).replace(/[/\\:]/g, "-") });
  if (graph.workflow) await app.loadGraphData(graph.workflow, true, true, name);
  else await /** @type {any} */ (app).loadApiJson(graph.prompt, name);
}

/** Puts a picture on the canvas as a LoadImage node. @param {Result} result */
async function insertPicture(result) {
  const { name } = await ask(`/results/${encodeURIComponent(result.id)}/input`, { method: "POST" });
  asOneUndoStep(() => addLoadImageNode(name));
}

/** @param {string} name Of a file among the inputs. */
function addLoadImageNode(name) {
  const LiteGraph = /** @type {any} */ (window).LiteGraph;
  const node = LiteGraph.createNode("LoadImage");
  const graph = /** @type {any} */ (app.canvas.graph ?? app.rootGraph);
  const [left = 0, top = 0, width = 0, height = 0] = app.canvas.ds.visible_area;
  node.pos = [left + width / 2 - 160, top + height / 2 - 160];
  graph.add(node);
  const widget = node.widgets?.find((/** @type {any} */ each) => each.name === "image");
  const values = widget?.options?.values;
  if (Array.isArray(values) && !values.includes(name)) values.push(name);
  if (widget) {
    widget.value = name;
    widget.callback?.(name);
  }
  app.canvas.selectNode?.(node);
}
