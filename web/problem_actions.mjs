/** What a person can do about a problem, in one click. */
import { configOf, isConfig, valueOf } from "./graph.mjs";
import { footerActions } from "./footer_actions.mjs";
import { tryOffline, useMyProvider } from "./provider_choice.mjs";
import { providerStore } from "./provider_store.mjs";
import { t } from "./i18n.mjs";

/**
 * The buttons for a kind of problem.
 * @param {Comfy.Node} node @param {string} kind
 */
export function problemActions(node, kind) {
  const config = isConfig(node) ? node : configOf(node);
  const name = String((config && valueOf(config, "provider")) ?? "auto");
  const actions = [];
  const keys = ["config", "key", "credit", "quota"].includes(kind);
  const theirs = keys || kind === "address"; // another provider may do
  const setup = theirs || ["cap", "ledger"].includes(kind);
  const foreign = config !== undefined && name !== "auto" && (!providerStore.provider(name) || theirs);
  if (foreign && providerStore.providers.some((provider) => !provider.local && providerStore.usable(provider))) {
    actions.push({ text: t("action.use_mine"), work: () => useMyProvider(config) });
  }
  if (keys) actions.push({ text: t("action.settings"), work: () => footerActions.openSettings(name) });
  else if (setup) {
    actions.push({ text: t("keys.button"), work: () => footerActions.openSettings(undefined, kind === "cap" ? "cap_run" : undefined) });
  }
  if (setup || foreign) actions.push({ text: t("action.offline"), work: () => tryOffline(node) });
  return actions;
}
