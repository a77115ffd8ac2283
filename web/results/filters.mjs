/** What the list of results is narrowed to: provider, model, state, day, favourites. All that is chosen holds together. */
import { button, el, icon } from "../dom.mjs";
import { ask } from "../server.mjs";
import { t } from "../i18n.mjs";
import { shortModel } from "./facts.mjs";

/** @typedef {{ id: string, label: string, models: string[] }} ProviderChoice Models by their wire ids. */

const OPEN = "reserved,sent,accepted,answered";

export class Filters {
  /** @param {() => void} changed */
  constructor(changed) {
    this.changed = changed;
    /** @type {ProviderChoice[]} */
    this.choices = [];
    this.provider = select("provider", changed);
    this.model = select("model", changed);
    this.state = select("state", changed);
    fill(this.state, t("filter.any_state"), [
      ["stored", t("filter.state_stored")],
      ["unknown", t("filter.state_doubt")],
      [OPEN, t("filter.state_open")],
      ["refused", t("filter.state_failed")],
    ]);
    this.day = el("input", { type: "date", onchange: changed });
    this.provider.addEventListener("change", () => this.fillModels());
    this.root = el(
      "div",
      { class: "nb-filters", role: "group", "aria-label": t("filter.title"), hidden: true },
      this.provider,
      this.model,
      this.state,
      el("label", { class: "nb-inline" }, t("filter.day"), this.day),
      button(t("filter.clear"), () => this.clear()),
    );
    this.opener = this.toggle("pi-filter", "filter.title", () => void this.open());
    this.opener.setAttribute("aria-expanded", "false");
    this.favourites = this.toggle("pi-star", "filter.favourites", () => {
      const pressed = this.favourites.getAttribute("aria-pressed") !== "true";
      this.favourites.setAttribute("aria-pressed", String(pressed));
      changed();
    });
    this.favourites.setAttribute("aria-pressed", "false");
    this.fillProviders();
  }

  /** @param {string} iconName @param {string} name @param {() => void} work */
  toggle(iconName, name, work) {
    const made = button("", work, { class: "nb-icon", "aria-label": t(name), title: t(name) });
    made.append(icon(iconName));
    return made;
  }

  async open() {
    this.root.hidden = !this.root.hidden;
    this.opener.setAttribute("aria-expanded", String(!this.root.hidden));
    if (this.root.hidden) return;
    this.choices = (await ask("/results/choices")).providers;
    this.fillProviders();
  }

  fillProviders() {
    fill(this.provider, t("filter.any_provider"), this.choices.map(({ id, label }) => [id, label]));
    this.fillModels();
  }

  fillModels() {
    const chosen = this.provider.value;
    const models = this.choices.filter(({ id }) => !chosen || id === chosen).flatMap((each) => each.models);
    fill(this.model, t("filter.any_model"), [...new Set(models)].map((model) => [model, shortModel(model)]));
  }

  /** How many conditions are chosen among those that the button opens. */
  get count() {
    return [this.provider, this.model, this.state, this.day].filter((each) => each.value).length;
  }

  /** Whether anything is left out. */
  get isActive() {
    return this.count > 0 || this.onlyFavourites;
  }

  get onlyFavourites() {
    return this.favourites.getAttribute("aria-pressed") === "true";
  }

  /** @param {URLSearchParams} query */
  addTo(query) {
    for (const name of /** @type {const} */ (["provider", "model", "state"])) {
      if (this[name].value) query.set(name, this[name].value);
    }
    if (this.onlyFavourites) query.set("favourite", "yes");
    const [year, month, day] = this.day.value.split("-").map(Number);
    if (!year || !month || !day) return;
    // A day of this browser's own time zone, which may have 23 or 25 hours.
    query.set("since", String(new Date(year, month - 1, day).getTime() / 1000));
    query.set("until", String(new Date(year, month - 1, day + 1).getTime() / 1000));
  }

  /** Shows on the button that something is left out. */
  showCount() {
    const { count } = this;
    this.opener.classList.toggle("nb-main", count > 0);
    const name = count ? t("filter.active", { n: count }) : t("filter.title");
    this.opener.setAttribute("aria-label", name);
    this.opener.title = name;
  }

  clear() {
    for (const each of [this.provider, this.state, this.day]) each.value = "";
    this.fillModels();
    this.model.value = "";
    this.favourites.setAttribute("aria-pressed", "false");
    this.changed();
  }
}

/** @param {string} name @param {() => void} changed */
const select = (name, changed) => el("select", { "aria-label": t(`filter.${name}`), title: t(`filter.${name}`), onchange: changed });

/** What is chosen stays, where it is still offered. @param {HTMLSelectElement} select @param {string} any @param {[string, string][]} choices */
function fill(select, any, choices) {
  const { value } = select;
  select.replaceChildren(...[["", any], ...choices].map(([id, label]) => el("option", { value: id }, label)));
  select.value = choices.some(([id]) => id === value) ? value : "";
}
