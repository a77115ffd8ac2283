/** The dialog of a page under a name that the server doesn't know to be its own: *This name is mine*, with the code. */
import { button, el } from "./dom.mjs";
import { openDialog } from "./dialog.mjs";
import { providerStore } from "./provider_store.mjs";
import { ask, errorText } from "./server.mjs";
import { toast } from "./toast.mjs";
import { t } from "./i18n.mjs";

/** Where this tab keeps that the dialog was closed: it then comes by its button in Settings only. */
const DISMISSED_KEY = "nano_banana.unknown_name";
const VARIABLE = "NANO_BANANA_HOSTS";

/** Shows the dialog by itself, once. @param {string} name */
export function showHostDialogOnce(name) {
  if (sessionStorage.getItem(DISMISSED_KEY) === name || document.querySelector(".nb-unknown-name")) return;
  showHostDialog(name);
}

/** @param {string} name */
export function showHostDialog(name) {
  const dialog = openDialog(t("hosts.title"), {
    class: "nb-narrow nb-unknown-name",
    onclose: () => sessionStorage.setItem(DISMISSED_KEY, name),
  });
  const code = el("input", { type: "text", autocomplete: "off", spellcheck: "false", size: "14", placeholder: "XXXXX-XXXXX" });
  const statusLine = el("p", { class: "nb-quiet", role: "status" });
  const send = async () => {
    statusLine.className = "nb-quiet";
    statusLine.textContent = "…";
    try {
      const answer = await ask("/hosts", { method: "POST", body: { name, code: code.value.trim() } });
      if (!answer.known) {
        statusLine.textContent = t(answer.code ? "hosts.look" : "hosts.no_code", { variable: VARIABLE });
        code.focus();
        return;
      }
      dialog.close();
      toast("success", t("hosts.title"), t("hosts.known", { name }));
      await providerStore.refresh();
    } catch (error) {
      statusLine.className = "nb-bad";
      statusLine.textContent = errorText(error);
    }
  };
  code.addEventListener("keydown", (event) => {
    if (event.key === "Enter") void send();
  });
  code.setAttribute("aria-label", t("hosts.code"));
  dialog.body.append(
    el("p", {}, t("hosts.what", { name })),
    el("p", {}, t("hosts.step")),
    el("div", { class: "nb-actions" }, code, button(t("hosts.mine"), send, { class: "nb-main" })),
    statusLine,
    el("p", { class: "nb-quiet" }, t("hosts.else", { variable: VARIABLE, name })),
  );
  code.focus();
}
