/** After a restart of the server: shows once what was recovered, and loads the providers again. */
import { api } from "/scripts/api.js";
import { providerStore } from "./provider_store.mjs";
import { ask, onServerEvent } from "./server.mjs";
import { toast } from "./toast.mjs";
import { t } from "./i18n.mjs";

/** Where this browser keeps the time of the recovery that it last showed. */
const LAST_SHOWN_KEY = "nano_banana.collected";

/** Begins to listen. @param {{ resultsChanged: () => void }} others */
export function followReconnects({ resultsChanged }) {
  /** @param {{ text?: string, failed?: number, at?: number }} news */
  const showRecovered = ({ text, failed, at }) => {
    resultsChanged();
    if (!text || !at || at <= Number(localStorage.getItem(LAST_SHOWN_KEY) ?? 0)) return;
    localStorage.setItem(LAST_SHOWN_KEY, String(at));
    toast(failed ? "warn" : "success", t("toast.collected"), text);
  };
  // A page that connects after the recovery got no event: it asks.
  const fetchRecovered = async () => showRecovered(await ask("/results/collected"));
  const refreshAll = async () => {
    await fetchRecovered();
    await providerStore.refresh(); // and with it the prices
  };
  onServerEvent("nano_banana.collected", (detail) => {
    showRecovered(detail);
    providerStore.refresh().catch(() => undefined);
  });
  api.addEventListener("reconnected", () => void refreshAll().catch(() => undefined));
  void fetchRecovered().catch(() => undefined);
}
