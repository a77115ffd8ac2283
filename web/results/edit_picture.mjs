/** Puts an edit of a picture on the canvas, at the provider that has made the picture. */
import { app } from "/scripts/app.js";
import { freePlaceBeside, freePlaceInView } from "../free_place.mjs";
import { asOneUndoStep, chosenProvider, configOf, hasEmptyPrompt, hasLink, isActive, isConfig, isImageNode, openGraph, setWidget, slotOf, valueOf } from "../graph.mjs";
import { addLoadImage, LOAD_IMAGE_SIZE } from "../load_image.mjs";
import { connectPreview, needsPreview } from "../output_nodes.mjs";
import { addProvider } from "../provider_choice.mjs";
import { modelOf, providerStore } from "../provider_store.mjs";
import { isReference } from "../sockets.mjs";
import { toast } from "../toast.mjs";
import { sentences, t } from "../i18n.mjs";
import { copyToInput, EDIT, isEdit } from "./canvas.mjs";

/** @typedef {import("../server.mjs").Result} Result */
/** @typedef {any} Node A node of the host, whose inside its types don't describe. */

/** Inputs of an edit that make it one of another picture. @param {string} name */
const isOfPicture = (name) => isReference(name) || name === "mask" || name === "conversation";

/**
 * A new edit with the picture, its provider and model, and an empty prompt; in its place the selected edit, where nothing is
 * connected to that or written in it. One step of Undo. Fails with an ApiError.
 * @param {Result} result @returns {Promise<Comfy.Node>} The edit.
 */
export async function editPicture(result) {
  const file = await copyToInput(result);
  const selected = Object.values(app.canvas.selected_nodes ?? {}).find((each) => isImageNode(/** @type {Comfy.Node} */ (each)));
  /** @type {Node} */
  let edit;
  asOneUndoStep(() => {
    edit = selected && isUntouched(selected, result) ? selected : addEdit(selected);
    addLoadImage(openGraph(), file, freePlaceBeside(edit, LOAD_IMAGE_SIZE, "left")).connect(0, edit, slotOf(edit, "images.image_1"));
    const keepsProvider = Boolean(configOf(edit)) || connectProvider(edit, result);
    if (needsPreview(edit)) connectPreview(edit);
    const warning = keepsProvider ? "" : t("results.edit_other_provider", { provider: result.label });
    const text = sentences(t("results.edit_ready", { node: String(edit.title) }), warning);
    toast(keepsProvider ? "success" : "warn", t("results.edit"), text);
  });
  app.canvas.deselectAll?.();
  app.canvas.selectNode?.(edit);
  app.canvas.centerOnNode?.(edit);
  return edit;
}

/** Whether an edit is as new: it has no picture and no prompt, and no other provider. @param {Node} edit @param {Result} result */
function isUntouched(edit, result) {
  const isFree = isEdit(edit) && hasEmptyPrompt(edit) && !edit.inputs.some((/** @type {any} */ input) => isOfPicture(input.name) && hasLink(input));
  if (!isFree || !hasLink(edit.inputs[slotOf(edit, "provider")])) return isFree;
  const config = configOf(edit);
  return Boolean(config && asks(config, result));
}

/** @param {Node | undefined} beside */
function addEdit(beside) {
  const edit = /** @type {any} */ (window).LiteGraph.createNode(EDIT);
  edit.pos = beside ? freePlaceBeside(beside, edit.size, "right") : freePlaceInView(openGraph(), edit.size);
  openGraph().add(edit);
  return edit;
}

/** Gives an edit the provider of a picture. @param {Node} edit @param {Result} result @returns {boolean} Whether it is still here. */
function connectProvider(edit, result) {
  const provider = providerStore.provider(result.provider);
  if (!provider) return false;
  const there = openGraph().nodes.find((/** @type {Node} */ node) => isConfig(node) && isActive(node) && asks(node, result));
  if (there) {
    there.connect(0, edit, slotOf(edit, "provider"));
    return true;
  }
  const model = modelOfPicture(provider, result)?.name;
  addProvider(edit, result.provider, model ?? "recommended");
  const config = configOf(edit);
  if (!config) return false;
  if (provider.keys.some((key) => key.profile === result.profile)) setWidget(config, "profile", result.profile);
  if (!model) setWidget(config, "model_override", result.model);
  return true;
}

/** The model that has made a picture, which a result names as the provider does. @param {import("../server.mjs").Provider} provider @param {Result} result */
const modelOfPicture = (provider, { model }) =>
  provider.models.find(({ name, generate, edit }) => [name, generate?.wire, edit?.wire].includes(model));

/** Whether a ProviderConfig asks for what has made a picture. @param {Comfy.Node} config @param {Result} result */
function asks(config, result) {
  const chosen = chosenProvider(config);
  const provider = providerStore.provider(chosen.provider);
  if (provider?.id !== result.provider || chosen.profile !== result.profile) return false;
  const override = valueOf(config, "model_override");
  if (override) return override === result.model;
  const model = modelOf(provider, chosen.model);
  return Boolean(model) && model === modelOfPicture(provider, result);
}
