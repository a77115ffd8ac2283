/** The browser side of Nano Banana (your key). The nodes work without it; it shows, asks and warns, and holds no key. */
import { app } from "/scripts/app.js";
import { api } from "/scripts/api.js";
import { el } from "./dom.mjs";
import { addFooter, doing, newVariation } from "./node_footer.mjs";
import { CONFIG, isMaker, isOurs } from "./graph.mjs";
import { keepFamily, remember } from "./widget_options.mjs";
import { dryRun } from "./dry_run.mjs";
import { askOnce } from "./host_name.mjs";
import { providerStore } from "./provider_store.mjs";
import { translatePlaceholders } from "./placeholders.mjs";
import { reprice, showPrices } from "./pricing.mjs";
import { followExecution, lookAtTheQueue } from "./execution_events.mjs";
import { followReconnects } from "./reconnect.mjs";
import { recoverAll, refreshResults, resultsTab } from "./results.mjs";
import { refused } from "./server.mjs";
import { openSettings, settingsPanel } from "./settings/panel.mjs";
import { loadMessages, t } from "./i18n.mjs";

/** @param {Comfy.Node} node */
function watch(node) {
  for (const widget of node.widgets ?? []) {
    const before = widget.callback;
    widget.callback = /** @type {typeof before} */ (
      /** @this {unknown} @param {...any} given */
      function (...given) {
        const result = before?.apply(this, /** @type {any} */ (given));
        if (node.comfyClass === CONFIG && widget.name === "provider") keepFamily(node);
        reprice();
        return result;
      }
    );
  }
  const connected = node.onConnectionsChange;
  node.onConnectionsChange = function (...given) {
    connected?.apply(this, given);
    reprice();
  };
}

app.registerExtension({
  name: "nano_banana",
  settings: [
    {
      id: "NanoBanana.Panel",
      name: "Keys and settings",
      category: ["Nano Banana", "Nano Banana", "Panel"],
      type: () => settingsPanel(),
      defaultValue: "",
    },
  ],
  commands: [
    { id: "NanoBanana.Settings", label: "Nano Banana: keys and settings", icon: "pi pi-key", function: () => openSettings() },
    { id: "NanoBanana.DryRun", label: "Nano Banana: dry run", icon: "pi pi-eye", function: () => dryRun() },
    { id: "NanoBanana.Recover", label: "Nano Banana: recover paid pictures", icon: "pi pi-download", function: () => recoverAll() },
    {
      id: "NanoBanana.NewVariation",
      label: "Nano Banana: new variation of the selected node",
      icon: "pi pi-refresh",
      function: async () => {
        for (const node of Object.values(app.canvas.selected_nodes ?? {})) {
          if (isMaker(/** @type {Comfy.Node} */ (node))) await newVariation(/** @type {Comfy.Node} */ (node));
        }
      },
    },
  ],
  menuCommands: [
    {
      path: ["Extensions", "Nano Banana"],
      commands: ["NanoBanana.Settings", "NanoBanana.DryRun", "NanoBanana.Recover", "NanoBanana.NewVariation"],
    },
  ],
  async init() {
    document.head.append(el("link", { rel: "stylesheet", href: new URL("style.css", import.meta.url) }));
    doing.showPrices = showPrices;
    doing.openSettings = openSettings;
    await loadMessages();
    refused.unknownHost = askOnce;
  },
  async setup() {
    app.extensionManager.registerSidebarTab(resultsTab());
    followExecution({ resultsChanged: refreshResults });
    followReconnects({ resultsChanged: refreshResults });
    providerStore.onChange(reprice);
    api.addEventListener("graphChanged", reprice);
    document.addEventListener("subgraph-opened", reprice); // it may have been opened from another one of its nodes
    await providerStore.refresh().catch((error) => console.warn("Nano Banana:", error.message));
  },
  nodeCreated(node) {
    if (!isOurs(node)) return;
    translatePlaceholders(node);
    addFooter(node);
    watch(node);
    remember(node);
    reprice();
  },
  loadedGraphNode(node) {
    if (!isOurs(node)) return;
    remember(node);
    reprice();
  },
  afterConfigureGraph() {
    lookAtTheQueue();
    reprice();
  },
  getNodeMenuItems(node) {
    if (!isOurs(node)) return [];
    const items = [
      { content: t("menu.settings"), callback: () => openSettings() },
      { content: t("menu.dry_run"), callback: () => void dryRun() },
    ];
    if (isMaker(node)) items.unshift({ content: t("variation.title"), callback: () => void newVariation(node) });
    return items;
  },
});

