/** The balance of an account, as a chip: in the settings beside its key, and in the picker of providers. */
import { el } from "./dom.mjs";
import { balanceText, t, when } from "./i18n.mjs";

/** @param {import("./server.mjs").Balance | null | undefined} balance As it was read in the last minutes; null where it wasn't. */
export const balanceChip = (balance) =>
  balance ? el("span", { class: "nb-chip", title: when(balance.when) }, t("balance.is", { balance: balanceText(balance) })) : null;
