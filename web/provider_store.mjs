/** The providers of the server, their keys and what they can do. Loaded once, and again when the settings change. */
import { ask } from "./server.mjs";

/** @type {import("./server.mjs").ProviderState} */
let known = { providers: [], dialects: {}, auths: [], profiles: ["default"], mistakes: [] };
/** @type {Set<() => void>} */
const listeners = new Set();
let loaded = false;
/** Requests for the providers so far, and the latest one whose answer is known: an older answer may come after it. */
let requests = 0;
let latest = 0;
/** The first load, while it is on its way. @type {Promise<void> | undefined} */
let loading;

/** Whether there is a key that may be used. @param {import("./server.mjs").KeyState} key */
export const hasValue = ({ state }) => state === "stored" || state === "environment";

export const providerStore = {
  get providers() {
    return known.providers;
  },
  get facts() {
    return known;
  },
  get loaded() {
    return loaded;
  },
  /** Those that `auto` may ask, in its order. */
  get usableByAuto() {
    return known.providers.filter((provider) => !provider.local && providerStore.usable(provider));
  },
  /** @param {string} id */
  provider: (id) => known.providers.find((provider) => provider.id === id),

  /** Whether a provider could be asked right now. @param {import("./server.mjs").Provider} provider */
  usable: (provider) =>
    provider.local ||
    (!provider.base_url_problem && provider.keys.some(hasValue)),

  /** Whether a provider that a graph names has a key of that name. @param {string} id @param {string} profile */
  usableNamed: (id, profile) =>
    known.providers.some(
      (provider) =>
        (id === "auto" ? !provider.local : provider.id === id) &&
        !provider.base_url_problem &&
        (provider.local || provider.keys.some((key) => key.profile === profile && hasValue(key))),
    ),

  /**
   * Whether a provider has refused the key that would be used. @param {import("./server.mjs").Provider} provider
   * @param {string} [profile]
   */
  refused: (provider, profile = "default") =>
    provider.keys.some((key) => key.profile === profile && key.state !== "none" && key.tested?.verdict === "refused"),

  /** Loads the providers unless they are here or on their way. */
  async ensure() {
    if (loaded) return;
    loading ??= providerStore.refresh().finally(() => (loading = undefined));
    await loading;
  },

  /** Loads the providers again and calls the listeners. */
  async refresh() {
    const number = (requests += 1);
    const found = await ask("/providers");
    if (number < latest) return;
    latest = number;
    known = found;
    loaded = true;
    for (const listener of [...listeners]) listener();
  },

  /** @param {() => void} listener @returns {() => void} Stops listening. */
  onChange(listener) {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
};

/** How a provider is called on the page; one that is not there any more, by its id. @param {string} id */
export const labelOf = (id) => providerStore.provider(id)?.label ?? id;

/** The model that is meant by a name at a provider. @param {import("./server.mjs").Provider} provider @param {string} name */
export const modelOf = (provider, name) =>
  provider.models.find((model) => (name === "recommended" ? model.recommended : model.name === name));
