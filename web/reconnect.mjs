/** After a restart of the server: shows once what was recovered, and loads the providers again. */
import { api } from "/scripts/api.js";
import { providerStore } from "./provider_store.mjs";
import { ask } from "./server.mjs";
import { toast } from "./toasting.mjs";
import { t } from "./i18n.mjs";

/** Where this browser keeps when the pictures came home that it last spoke of. */
const SEEN = "nano_banana.collected";

/** Begins to listen. @param {{ resultsChanged: () => void }} others */
export function followReconnects({ resultsChanged }) {
  /** @param {{ text?: string, failed?: number, at?: number }} news */
  const cameHome = ({ text, failed, at }) => {
    resultsChanged();
    if (!text || !at || at <= Number(localStorage.getItem(SEEN) ?? 0)) return;
    localStorage.setItem(SEEN, String(at));
    toast(failed ? "warn" : "success", t("toast.collected"), text);
  };
  // A page that connects after the recovery got no event: it asks.
  const asked = async () => cameHome(await ask("/results/collected"));
  const again = async () => {
    await asked();
    await providerStore.refresh(); // and with it the prices
  };
  api.addCustomEventListener("nano_banana.collected", (/** @type {CustomEvent} */ { detail }) => {
    cameHome(detail);
    providerStore.refresh().catch(() => undefined);
  });
  api.addEventListener("reconnected", () => void again().catch(() => undefined));
  void asked().catch(() => undefined);
}
