/** What a person can do about requests that may have been charged: on the node and in the results panel alike. */
import { api } from "/scripts/api.js";
import { confirmDialog } from "./dialog.mjs";
import { providerStore } from "./provider_store.mjs";
import { agreesTo } from "./results/pay_again.mjs";
import { ask } from "./server.mjs";
import { money, sentences, t } from "./i18n.mjs";

/** @typedef {import("./dom.mjs").Action} Action */
/** @typedef {import("./workflow_part.mjs").Part} Part */

/** Events of the page's connection to the server. @type {("reconnected" | "status")[]} */
const SIGNS_OF_LIFE = ["reconnected", "status"];

/**
 * Pay again, forget it, usage page.
 * @param {object} facts
 * @param {string[]} facts.ids Of the pictures, as the results have them.
 * @param {string} facts.provider Its id; where its usage page isn't known there is no button for it.
 * @param {number | null | undefined} facts.usd What paying again costs; null where it isn't known.
 * @param {() => Promise<Part>} facts.partOf What has to run for them.
 * @param {(part: Part) => Promise<string>} facts.payAgain Runs it, and gives the id of its prompt; called once the server knows of the agreement.
 * @param {boolean} [facts.askedAgain] It was asked for again already: there is no button for it.
 * @param {boolean} [facts.hasAnswer] Its answer is kept, and can be read again.
 * @param {() => unknown} facts.withdrawn Called once the requests are taken out of the sums.
 * @returns {Action[]}
 */
export function unresolvedActions({ ids, provider, usd, partOf, payAgain, askedAgain = false, hasAnswer = false, withdrawn }) {
  const page = providerStore.provider(provider);
  const again = {
    text: t("unresolved.pay_again", { usd: money(usd) }),
    title: t("results.pay_again_title"),
    work: async () => {
      const part = await partOf();
      if (!(await agreesTo(part, ids.length))) return; // where it fails, or is not agreed to, the server is told nothing
      await setAgreement(ids, true);
      const run = await payAgain(part).catch(async (error) => {
        await endAgreement(ids);
        throw error;
      });
      // It is for that run alone: another one asks, where this one is deleted from the queue before it has run.
      if (run) await setAgreement(ids, true, run).catch(() => undefined);
    },
  };
  /** @type {Action[]} */
  const actions = [
    ...(askedAgain ? [] : [again]),
    {
      text: t("unresolved.withdraw"),
      title: t("unresolved.withdraw_title"),
      work: async () => {
        const question = sentences(t("unresolved.withdraw_sure"), hasAnswer ? t("unresolved.answer_stays") : "");
        if (!(await confirmDialog(question, t("unresolved.withdraw")))) return;
        await ask("/results/withdraw", { method: "POST", body: { ids } });
        await withdrawn();
      },
    },
  ];
  if (page?.usage_url) {
    actions.push({
      text: t("unresolved.usage"),
      title: t("unresolved.usage_title", { provider: page.label }),
      work: () => void window.open(page.usage_url, "_blank", "noopener,noreferrer"),
    });
  }
  return actions;
}

/** @param {string[]} ids @param {boolean} agrees That they are paid again by the next run. @param {string} [run] By the run with this id alone. */
const setAgreement = (ids, agrees, run = "") => ask("/results/pay_again", { method: "POST", body: { ids, agrees, run } });

/**
 * No run was accepted: the next one asks again. Where the server can't be reached now it is told once it is there.
 * @param {string[]} ids
 */
async function endAgreement(ids) {
  try {
    await setAgreement(ids, false);
  } catch {
    const again = () => void setAgreement(ids, false).then(stop, () => undefined);
    const stop = () => SIGNS_OF_LIFE.forEach((name) => api.removeEventListener(name, again));
    for (const name of SIGNS_OF_LIFE) api.addEventListener(name, again);
  }
}
