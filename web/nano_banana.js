/** The browser side of Nano Banana (your key). The nodes work without it; it shows, asks and warns, and holds no key. */
import { app } from "/scripts/app.js";
import { api } from "/scripts/api.js";
import { el } from "./dom.mjs";
import { showConversationPicture } from "./conversation_picture.mjs";
import { addFooter } from "./node_footer.mjs";
import { refuseEmptyPrompts } from "./empty_prompt.mjs";
import { footerActions } from "./footer_actions.mjs";
import { isConfig, isImageNode, isOurs, onWidgetChange } from "./graph.mjs";
import { keepModelFamily, rememberProvider } from "./widget_options.mjs";
import { followDraftSetting } from "./draft_setting.mjs";
import { dryRun } from "./dry_run.mjs";
import { showHostDialogOnce } from "./host_name.mjs";
import { nameOwnValues } from "./own_values.mjs";
import { followPaintedMasks } from "./painted_mask.mjs";
import { isPartnerNode, useMyOwnKey } from "./partner_nodes.mjs";
import { providerStore } from "./provider_store.mjs";
import { translatePlaceholders } from "./placeholders.mjs";
import { scheduleEstimates } from "./pricing.mjs";
import { openPicker } from "./provider_picker.mjs";
import { followExecution, warnAboutAutoQueue } from "./execution_events.mjs";
import { followReconnects } from "./reconnect.mjs";
import { recoverAll, refreshResults, resultsTab } from "./results.mjs";
import { findNewerInputs, findNewerInputsOfPrompt } from "./newer_version.mjs";
import { addPreviewsBeforeRuns } from "./output_nodes.mjs";
import { beforeRuns } from "./queue_mode.mjs";
import { askBeforeRuns } from "./run_check.mjs";
import { keepOutcomes } from "./run_outcomes.mjs";
import { refusalHandlers } from "./server.mjs";
import { showIdConflicts } from "./id_conflicts.mjs";
import { translateReferences } from "./reference_labels.mjs";
import { openSettings, settingsPanel } from "./settings/panel.mjs";
import { keepSockets } from "./sockets.mjs";
import { queueNewVariation } from "./variation.mjs";
import { toast } from "./toast.mjs";
import { followLanguage, loadMessages, t } from "./i18n.mjs";

/** @param {Comfy.Node} node */
function scheduleEstimatesOnChange(node) {
  for (const widget of node.widgets ?? []) {
    onWidgetChange(widget, () => {
      if (isConfig(node) && widget.name === "provider") keepModelFamily(node);
      scheduleEstimates();
    });
  }
  const connected = node.onConnectionsChange;
  node.onConnectionsChange = function (...given) {
    connected?.apply(this, given);
    scheduleEstimates();
  };
}

/** A picture without a workflow is loaded from its prompt: what no node here has is left out without a word. */
function checkLoadedPrompts() {
  const load = app.loadApiJson.bind(app);
  /** @param {Parameters<typeof load>} given */
  app.loadApiJson = async (...given) => {
    await load(...given);
    for (const [id, { inputs }] of Object.entries(given[0])) {
      const node = app.rootGraph.getNodeById(id) ?? app.rootGraph.getNodeById(id.replaceAll(":", "_"));
      if (node && isOurs(/** @type {Comfy.Node} */ (node))) findNewerInputsOfPrompt(/** @type {Comfy.Node} */ (node), inputs);
    }
    scheduleEstimates();
  };
}

const HOME_PAGE = "https://github.com/nano-banana-your-key/nano-banana-your-key";

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
    {
      id: "NanoBanana.ShowDrafts",
      name: "Show drafts while a picture is awaited",
      tooltip:
        "What Google's models draw while thinking is shown small on the node before the picture is there. It costs nothing more and changes no picture.",
      category: ["Nano Banana", "Nano Banana", "Drafts"],
      type: "boolean",
      defaultValue: false,
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
          if (isImageNode(/** @type {Comfy.Node} */ (node))) await queueNewVariation(/** @type {Comfy.Node} */ (node));
        }
      },
    },
  ],
  aboutPageBadges: [{ label: "Nano Banana", url: HOME_PAGE, icon: "pi pi-github" }],
  menuCommands: [
    {
      path: ["Extensions", "Nano Banana"],
      commands: ["NanoBanana.Settings", "NanoBanana.DryRun", "NanoBanana.Recover", "NanoBanana.NewVariation"],
    },
  ],
  async init() {
    document.head.append(el("link", { rel: "stylesheet", href: new URL("style.css", import.meta.url) }));
    footerActions.openPicker = openPicker;
    footerActions.newVariation = queueNewVariation;
    footerActions.openSettings = openSettings;
    await loadMessages();
    refusalHandlers.unknownHost = showHostDialogOnce;
  },
  async setup() {
    app.extensionManager.registerSidebarTab(resultsTab());
    followExecution({ resultsChanged: refreshResults });
    keepOutcomes();
    followReconnects({ resultsChanged: refreshResults });
    followDraftSetting();
    addPreviewsBeforeRuns();
    askBeforeRuns(); // around it: where the answer is no, nothing is added
    beforeRuns(refuseEmptyPrompts);
    followLanguage((text) => toast("info", "Nano Banana", text));
    checkLoadedPrompts();
    providerStore.onChange(scheduleEstimates);
    api.addEventListener("graphChanged", scheduleEstimates);
    document.addEventListener("subgraph-opened", scheduleEstimates); // it may have been opened from another one of its nodes
    void showIdConflicts().catch((error) => console.warn("Nano Banana:", error.message));
    await providerStore.ensure().catch((error) => console.warn("Nano Banana:", error.message));
  },
  nodeCreated(node) {
    showConversationPicture(node);
    if (!isOurs(node)) return;
    findNewerInputs(node);
    keepSockets(node);
    translateReferences(node);
    translatePlaceholders(node);
    addFooter(node);
    followPaintedMasks(node);
    nameOwnValues(node);
    scheduleEstimatesOnChange(node);
    rememberProvider(node);
    scheduleEstimates();
  },
  loadedGraphNode(node) {
    if (!isOurs(node)) return;
    rememberProvider(node);
    scheduleEstimates();
  },
  afterConfigureGraph() {
    warnAboutAutoQueue();
    scheduleEstimates();
  },
  getNodeMenuItems(node) {
    if (isPartnerNode(node)) return [{ content: t("menu.own_key"), callback: () => void useMyOwnKey(node) }];
    if (!isOurs(node)) return [];
    const items = [
      { content: t("menu.settings"), callback: () => openSettings() },
      { content: t("menu.dry_run"), callback: () => void dryRun() },
    ];
    if (isImageNode(node)) items.unshift({ content: t("variation.title"), callback: () => void queueNewVariation(node) });
    return items;
  },
});

