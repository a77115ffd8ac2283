/** What a person can do about a problem, in one click. */
import { app } from "/scripts/app.js";
import { chosenProvider, configOf, isConfig } from "./graph.mjs";
import { maskActions } from "./empty_mask.mjs";
import { footerActions } from "./footer_actions.mjs";
import { addProvider, tryOffline, useMyProvider, usableOthers } from "./provider_choice.mjs";
import { providerStore } from "./provider_store.mjs";
import { t } from "./i18n.mjs";

/** @typedef {import("./dom.mjs").Action} Action */

/** Problems with a key or its account. */
const KEY_PROBLEMS = ["config", "key", "account", "credit", "quota"];
/** Problems that another provider doesn't have. */
const PROVIDER_PROBLEMS = [...KEY_PROBLEMS, "address", "region", "model"];
/** Failures that may be over when the same is asked again. */
const TRANSIENT_PROBLEMS = ["rate", "busy", "server", "network", "timeout", "unreadable", "task", "task_lost", "download", "picture", "empty", "bot_protection"];
/** Failures where the request itself is in the way at this provider. */
const REQUEST_PROBLEMS = ["content", "invalid", "impossible", "too_large"];

/**
 * The buttons for a kind of problem.
 * @param {Comfy.Node} node @param {string} kind
 * @param {string} [asked] The id of the provider that was asked; where it isn't given, the one that the graph names.
 * @returns {Action[]}
 */
export function problemActions(node, kind, asked) {
  const failing = asked ?? namedProvider(node);
  /** @type {Action[]} */
  const actions = [];
  if (PROVIDER_PROBLEMS.includes(kind)) actions.push(...otherProvider(node, failing));
  if (KEY_PROBLEMS.includes(kind)) actions.push(...keyActions(node, failing));
  else if (["address", "cap", "ledger"].includes(kind)) {
    actions.push({ text: t("keys.button"), work: () => footerActions.openSettings(undefined, kind === "cap" ? "cap_run" : undefined) });
  }
  // Two buttons are enough: where another provider is here, the simulation is in the picker.
  if (actions.length < 2 && (PROVIDER_PROBLEMS.includes(kind) || ["cap", "ledger"].includes(kind))) {
    actions.push({ text: t("action.offline"), work: () => tryOffline(node) });
  }
  if (kind === "mask") actions.push(...maskActions(node));
  if (TRANSIENT_PROBLEMS.includes(kind)) actions.push({ text: t("action.again"), work: () => app.queuePrompt(0, 1) });
  if ((TRANSIENT_PROBLEMS.includes(kind) || REQUEST_PROBLEMS.includes(kind)) && !isConfig(node)) {
    actions.push({ text: t("action.other"), work: () => footerActions.openPicker(node) });
  }
  return actions;
}

/** What a new node without any key offers. @param {Comfy.Node} node @returns {Action[]} */
export function firstActions(node) {
  const named = namedProvider(node);
  return [
    ...otherProvider(node, named),
    ...keyActions(node, named),
    { text: t("action.offline"), work: () => tryOffline(node) },
    whereAction(node),
  ];
}

/** The way from the simulation to real pictures: a provider whose key works, else the key that was refused, or a first one. @param {Comfy.Node} config @returns {Action[]} */
export function realProvider(config) {
  if (usableOthers("").length) return [{ text: t("action.use_mine"), work: () => useMyProvider(config) }];
  const [refused] = providerStore.usableByAuto;
  return refused ? keyActions(config, refused.id) : [...keyActions(config, ""), whereAction(config)];
}

/** @param {Comfy.Node} node @returns {Action} */
const whereAction = (node) => ({ text: t("action.where"), work: () => footerActions.openPicker(node) });

/** The provider that the graph names; "" for `auto`. @param {Comfy.Node} node */
function namedProvider(node) {
  const { provider } = chosenProvider(node);
  return provider === "auto" ? "" : provider;
}

/** The way to another provider, where one could be asked. @param {Comfy.Node} node @param {string} failing @returns {Action[]} */
function otherProvider(node, failing) {
  const [other] = usableOthers(failing);
  if (!other) return [];
  const config = isConfig(node) ? node : configOf(node);
  if (config && namedProvider(node)) return [{ text: t("action.use_mine"), work: () => useMyProvider(config, failing) }];
  if (!failing) return [];
  return [{ text: t("action.use", { provider: other.label }), work: () => addProvider(node, other.id, "recommended") }];
}

/**
 * Leads to the key of a provider; none on a provider's node where it would be the button that is always there.
 * @param {Comfy.Node} node @param {string} id "" where none is named. @returns {Action[]}
 */
function keyActions(node, id) {
  const key = providerStore.provider(id)?.keys.find((each) => each.profile === "default");
  if (key?.state === "environment" && isConfig(node)) return [];
  const text = key?.state === "stored" ? "action.replace" : key?.state === "environment" ? "keys.button" : "action.settings";
  return [{ text: t(text), work: () => footerActions.openSettings(id || "auto") }];
}
