/** Chooses provider and model of a node: every provider with its models and what each takes for the node's request. */
import { app } from "/scripts/app.js";
import { button, el } from "./dom.mjs";
import { openDialog } from "./dialog.mjs";
import { footerActions } from "./footer_actions.mjs";
import { chosenProvider, configOf, isImageNode, ourNodes, promptFor, sourceOf, valueOf } from "./graph.mjs";
import { elementsOf, forElements } from "./linked_lists.mjs";
import { addProvider } from "./provider_choice.mjs";
import { balanceChip } from "./balance.mjs";
import { providerStore } from "./provider_store.mjs";
import { ask } from "./server.mjs";
import { money, priceOfOne, sentences, t } from "./i18n.mjs";

/** @typedef {import("./server.mjs").Estimate} Estimate */
/** @typedef {import("./server.mjs").Elsewhere} Elsewhere */
/** @typedef {import("./server.mjs").Offer} Offer */
/** @typedef {{ node: Comfy.Node, estimate: Estimate, auto: boolean, close: () => void }} Picker `auto`: no provider is named. */

/** Opens the picker. @param {Comfy.Node} node One that makes pictures, or the ProviderConfig of one. */
export async function openPicker(node) {
  const maker = isImageNode(node) ? node : ourNodes().find((each) => isImageNode(each.node) && configOf(each.node) === node)?.node;
  if (!maker) {
    footerActions.openSettings();
    return;
  }
  const answer = await ask("/estimate", { method: "POST", body: { prompt: promptFor([maker]), everywhere: true } });
  /** @type {Estimate} */
  const estimate = forElements(answer.nodes["0"], elementsOf(maker));
  const dialog = openDialog(t("prices.title"), { class: "nb-picker" });
  const config = configOf(maker);
  const auto = config ? valueOf(config, "provider") === "auto" : !sourceOf(maker, "provider");
  const picker = { node: maker, estimate, auto, close: dialog.close };
  const offers = estimate.everywhere ?? [];
  const run = t(estimate.elements === null ? "prices.element" : "prices.run");
  const columns = [t("prices.provider"), t("prices.model"), t("prices.size"), t("prices.each"), run];
  dialog.body.append(
    sourceLine(estimate),
    otherSources(offers, estimate),
    el(
      "table",
      { class: "nb-table" },
      el("thead", {}, el("tr", {}, ...[...columns, ""].map((name) => el("th", {}, name)))),
      el("tbody", {}, autoRow(picker)),
      el("tbody", { class: "nb-usable" }, ...offers.filter((offer) => offer.usable && !offer.local).map((offer) => offerRow(picker, offer))),
      el("tbody", {}, ...offers.filter((offer) => offer.local).map((offer) => offerRow(picker, offer))),
      el("tbody", { class: "nb-keyless" }, ...offers.filter((offer) => !offer.usable).map((offer) => offerRow(picker, offer))),
    ),
    offers.some((offer) => offer.models.some((model) => !model.problem && isCounted(model))) ? el("p", { class: "nb-quiet" }, t("picker.counts")) : "",
  );
}

/** Where the price of the node is from; nothing where it is free. @param {Estimate} estimate */
function sourceLine(estimate) {
  const text = sourceText(estimate);
  return text && el("p", { class: "nb-quiet" }, t("labelled", { label: estimate.label ?? "", value: text }));
}

/** Where the other prices are from, folded: of each provider, with the model that is named there. @param {Elsewhere[]} offers @param {Estimate} estimate */
function otherSources(offers, estimate) {
  const lines = offers.flatMap((offer) => {
    const { price_source: source, price_dated: dated, counted_source: counted, model } = offer;
    if (!source || !offer.usd_each || offer.provider === estimate.provider) return [];
    const from = [sourceName(source), dated].filter(Boolean).join(" · ");
    const dearer = counted ? el("div", {}, t("prices.counted", { source: counted })) : "";
    return [el("li", {}, t("labelled", { label: `${offer.label} · ${model ?? ""}`, value: from }), dearer)];
  });
  const title = t(sourceText(estimate) ? "prices.sources" : "prices.sources_of_all");
  return lines.length ? el("details", { class: "nb-quiet nb-price-sources" }, el("summary", {}, title), el("ul", {}, ...lines)) : "";
}

/** "" where the price isn't known, or nothing is paid. @param {Estimate} estimate */
function sourceText({ usd_each: each, price_source: source, price_dated: dated, counted_source: counted }) {
  if (!source || each === 0) return "";
  const from = dated ? t("prices.source", { source: sourceName(source), dated }) : t("prices.source_undated", { source: sourceName(source) });
  return sentences(from, counted ? t("prices.counted", { source: counted }) : "");
}

/** How the page calls the source of a price; prices that a person has entered in the settings are named by the server. @param {string} source */
const sourceName = (source) => (source === "Settings" ? t("prices.settings") : source);

/** The first provider that can do it. @param {Picker} picker */
function autoRow({ node, estimate, auto, close }) {
  return el(
    "tr",
    { class: auto ? "nb-chosen" : "" },
    el("td", {}, t("picker.auto_name")),
    el("td", { colspan: "4", class: "nb-quiet" }, auto && estimate.label ? t("picker.auto_now", { provider: estimate.label }) : t("picker.auto")),
    el("td", { class: "nb-pick" }, auto ? t("prices.chosen") : button(t("prices.use"), () => choose(node, "auto", undefined, close), { "aria-label": t("picker.use", { provider: "auto" }) })),
  );
}

/** @param {Picker} picker @param {Elsewhere} offer */
function offerRow(picker, offer) {
  const chosen = offer.usable && offer.provider === picker.estimate.provider;
  const models = offer.models;
  let model = models.find((each) => each.model === (chosen ? picker.estimate.model : offer.model)) ?? models.find((each) => !each.problem) ?? models[0];
  const size = el("td", {});
  const each = el("td", {});
  const run = el("td", {});
  const action = el("td", { class: "nb-pick" });
  const draw = () => {
    size.textContent = model?.problem ? "" : (model?.resolution ?? "");
    each.textContent = model ? (model.problem ?? pricesOf(model, picker.estimate.delivery)) : t("picker.cannot");
    each.title = model?.usd_batch_each ? t("picker.batch_title") : "";
    each.classList.toggle("nb-quiet", Boolean(model?.problem ?? !model));
    const current = chosen && model?.model === picker.estimate.model;
    run.textContent = !model || model.problem ? "" : runPriceOf(model, current ? picker.estimate : undefined);
    const now = current && !picker.auto;
    action.replaceChildren(...(offer.usable ? [now ? t("prices.chosen") : useButton(picker, offer, () => model?.model)] : keyButtons(picker, offer)));
  };
  const select = el("select", { "aria-label": t("picker.model", { provider: offer.label }) }, ...models.map((one) => el("option", { value: one.model }, one.model ?? "")));
  if (model?.model) select.value = model.model;
  select.addEventListener("change", () => {
    model = models.find((one) => one.model === select.value);
    draw();
  });
  draw();
  return el("tr", { class: chosen ? "nb-chosen" : "", "data-provider": offer.provider }, el("td", {}, offer.label, refusedPart(picker, offer), balancePart(picker, offer)), el("td", {}, models.length ? select : ""), size, each, run, action);
}

/** Says of a provider whose key was refused that it was. @param {Picker} picker @param {Elsewhere} offer */
function refusedPart({ node, estimate }, { provider, usable }) {
  const known = usable ? providerStore.provider(provider) : undefined;
  const profile = profileAt(node, estimate, provider);
  return known && providerStore.refused(known, profile) ? el("div", { class: "nb-bad" }, t("keys.refused")) : null;
}

/** The profile that a provider would be asked with. @param {Comfy.Node} node @param {Estimate} estimate @param {string} provider */
const profileAt = (node, estimate, provider) => (estimate.provider === provider ? chosenProvider(node).profile : "default");

/**
 * The balance of the account where a free route of the provider names it: as it was read in the last minutes, else a button that
 * asks for it.
 * @param {Picker} picker @param {Elsewhere} offer
 */
function balancePart({ node, estimate }, { provider, label, usable }) {
  const profile = profileAt(node, estimate, provider);
  const facts = () => providerStore.provider(provider);
  const chip = () => balanceChip(facts()?.keys.find((key) => key.profile === profile)?.balance);
  if (!usable || !facts()?.names_balance) return null;
  const place = el("div", { role: "status", tabindex: "-1" });
  const askFor = async () => {
    const { text } = await ask(`/keys/${encodeURIComponent(provider)}/${encodeURIComponent(profile)}/test`, { method: "POST" });
    await providerStore.refresh();
    place.replaceChildren(chip() ?? el("span", { class: "nb-quiet" }, text));
    place.focus(); // the button had it
  };
  const shown = { class: "nb-link nb-quiet", title: t("balance.ask_title"), "aria-label": t("balance.ask_of", { provider: label }) };
  place.append(chip() ?? button(t("balance.ask"), askFor, shown));
  return place;
}

/**
 * The price of a picture, then that of the other delivery where the provider has one: at half the price by tomorrow, or at once.
 * @param {Offer} offer @param {Estimate["delivery"]} delivery Of the node.
 */
function pricesOf(offer, delivery) {
  const { usd_now_each: now, usd_batch_each: batch } = offer;
  if (!now || !batch) return priceOf(offer);
  const ordered = t("picker.batch", { price: money(batch) });
  return delivery === "batch" ? [ordered, t("picker.now", { price: money(now) })].join(" · ") : [priceOf(offer), ordered].join(" · ");
}

/** Whether something else is counted against the caps than a price that is known. @param {Offer} offer */
const isCounted = ({ usd_each: each, usd_counted_each: counted }) => typeof each !== "number" || (counted ?? 0) > each;

/** @param {Offer} offer */
const priceOf = (offer) => (offer.usd_each === null ? t("price.counts_as", { usd: money(offer.usd_counted_each) }) : priceOfOne(offer));

/**
 * What a run by a model costs, or counts as where its price isn't known. What is stored already costs the node that has it nothing
 * again; the other prices are for all pictures.
 * @param {Offer} model @param {Estimate | undefined} own The node's own estimate, where it has that model now.
 */
function runPriceOf(model, own) {
  const { usd } = own ?? model;
  if (typeof usd === "number") return money(usd);
  const missing = (own?.pictures ?? 1) - (own?.stored ?? 0);
  const counted = own ? (own.usd_counted_each ?? 0) * missing : (model.usd_counted ?? 0);
  return counted ? t("price.counts_as", { usd: money(counted) }) : t("price.free");
}

/** @param {Picker} picker @param {Elsewhere} offer @param {() => string | undefined} model */
const useButton = ({ node, close }, offer, model) =>
  button(t("prices.use"), () => choose(node, offer.provider, model(), close), { "aria-label": t("picker.use", { provider: offer.label }) });

/** @param {Picker} picker @param {Elsewhere} offer */
function keyButtons({ close }, offer) {
  const add = button(t("keys.add"), () => {
    close();
    footerActions.openSettings(offer.provider);
  });
  const get = offer.key_url ? el("a", { href: offer.key_url, target: "_blank", rel: "noopener noreferrer" }, t("keys.get")) : "";
  return [get, add];
}

/** @param {Comfy.Node} node @param {string} provider @param {string | undefined} model @param {() => void} close */
function choose(node, provider, model, close) {
  addProvider(node, provider, model);
  close();
  app.canvas?.setDirty?.(true, true);
}
