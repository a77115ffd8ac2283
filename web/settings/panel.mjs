/** The settings section: in the frontend's settings, and in a dialog of its own that a node's button opens. */
import { button, el, stopKeyPropagation } from "../dom.mjs";
import { openDialog } from "../dialog.mjs";
import { showHostDialog } from "../host_name.mjs";
import { providerStore } from "../provider_store.mjs";
import { ApiError, ask, errorText } from "../server.mjs";
import { toast } from "../toast.mjs";
import { t } from "../i18n.mjs";
import { permissionsSection } from "./permissions.mjs";
import { providersSection } from "./providers.mjs";
import { spendOverview } from "../spending/overview.mjs";
import { spendingSection } from "./spending.mjs";
import { storageSection } from "./storage.mjs";

/**
 * What the sections share: the settings as they are, and how to change one: `save` leaves the page as it is, so that what is
 * being typed elsewhere stays; `change` draws it again.
 * @typedef {{ settings: Record<string, import("../server.mjs").Setting>,
 *   damage: string, multi_user: boolean, hosts: { accepted: string[], named: string, variable: string },
 *   allowed_models: { provider: string, label: string, wire: string, price: number, source: string }[],
 *   results?: { pictures: number, bytes: number, free: number | null },
 *   overview: () => Promise<HTMLElement>,
 *   save: (changes: Record<string, unknown>) => Promise<void>, change: (changes: Record<string, unknown>) => Promise<void>,
 *   redraw: () => Promise<void> }} Shared
 */

/**
 * The section as an element that keeps itself up to date while it is shown.
 * @param {string} [provider] Whose key is to be entered. @param {string} [setting] To be looked at.
 */
export function settingsPanel(provider, setting) {
  const root = stopKeyPropagation(el("div", { class: "nb-settings" }, el("p", { class: "nb-quiet" }, "…")));
  let wanted = provider;
  let looked = setting;
  /** The chart of what was spent and the bill, made once: no setting changes them. @type {Promise<HTMLElement> | undefined} */
  let overview;
  const overviewOnce = async () => {
    overview ??= spendOverview();
    try {
      return await overview;
    } catch (error) {
      overview = undefined; // the next redraw asks again
      throw error;
    }
  };
  const redraw = async () => {
    try {
      const [found] = await Promise.all([ask("/settings"), providerStore.refresh()]);
      /** @type {Shared} */
      const shared = {
        ...found,
        overview: overviewOnce,
        redraw,
        save: (changes) => ask("/settings", { method: "PUT", body: changes }),
        change: async (changes) => {
          await ask("/settings", { method: "PUT", body: changes });
          await redraw();
        },
      };
      const scrolled = root.closest(".nb-dialog-body")?.scrollTop ?? 0;
      const restoreFocus = rememberFocus(root);
      root.replaceChildren(
        el("p", { class: "nb-quiet" }, t("settings.where")),
        shared.multi_user ? el("p", { class: "nb-quiet" }, t("settings.multi_user")) : "",
        damageSection(shared),
        providersSection(shared, wanted),
        await spendingSection(shared),
        storageSection(shared),
        permissionsSection(shared),
      );
      const body = root.closest(".nb-dialog-body");
      if (body) body.scrollTop = scrolled;
      restoreFocus();
      if (wanted || looked) {
        const place = wanted ? `[data-provider="${CSS.escape(wanted)}"] .nb-key :is(input, button)` : `#nb-setting-${looked}`;
        /** @type {HTMLElement | null} */
        const entry = root.querySelector(place);
        entry?.scrollIntoView({ block: "center" });
        entry?.focus();
      }
      wanted = looked = undefined;
    } catch (error) {
      const name = error instanceof ApiError ? error.unknownHost : undefined;
      root.replaceChildren(
        el("p", { class: "nb-bad" }, errorText(error)),
        name ? button(t("hosts.mine"), () => showHostDialog(name), { class: "nb-main" }) : "",
      );
    }
  };
  void redraw();
  return root;
}

/** What to do about settings that can't be read; empty where they can. @param {Shared} shared */
function damageSection(shared) {
  if (!shared.damage) return "";
  const setAside = async () => {
    const { set_aside: name } = await ask("/settings", { method: "DELETE" });
    await shared.redraw();
    toast("info", t("settings.title"), t("settings.is_aside", { name }));
  };
  return el(
    "section",
    { role: "alert" },
    el("p", { class: "nb-bad" }, t("settings.damaged", { why: shared.damage })),
    button(t("settings.set_aside"), setAside, { class: "nb-danger" }),
  );
}

/**
 * Where the focus is in what is about to be drawn again; the answer gives it back: to the same control, else to the key of the
 * same provider.
 * @param {HTMLElement} root @returns {() => void}
 */
function rememberFocus(root) {
  const now = document.activeElement;
  if (!(now instanceof HTMLElement) || !root.contains(now)) return () => undefined;
  const controls = () => {
    const card = now.closest("[data-provider]")?.getAttribute("data-provider");
    const place = card ? root.querySelector(`[data-provider="${CSS.escape(card)}"]`) : root;
    return /** @type {HTMLElement[]} */ ([...(place ?? root).querySelectorAll("button, input, select, a")]);
  };
  const name = (/** @type {HTMLElement} */ each) => each.id || each.getAttribute("aria-label") || each.textContent;
  const alike = () => controls().filter((each) => name(each) === name(now));
  const place = alike().indexOf(now);
  return () => (alike()[place] ?? controls().find((each) => each.closest(".nb-key")) ?? controls()[0])?.focus();
}

/** Opens the section in a dialog. @param {string} [provider] Whose key is missing. @param {string} [setting] That is in the way. */
export function openSettings(provider, setting) {
  /** @type {HTMLDialogElement | null} */ (document.querySelector(".nb-settings-dialog"))?.close();
  const known = provider && provider !== "auto" && providerStore.provider(provider)?.needs_key ? provider : undefined;
  const dialog = openDialog(t("settings.title"), { class: "nb-settings-dialog" });
  dialog.body.append(settingsPanel(known, setting));
}
