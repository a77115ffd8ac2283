/** Whether this page shows what a model draws while thinking: a setting of the user, sent to the server for this page. */
import { api } from "/scripts/api.js";
import { hostSetting, onHostSetting } from "./host_settings.mjs";
import { ask } from "./server.mjs";

const SHOW_DRAFTS = "NanoBanana.ShowDrafts";

/** What the server has for this page, as "id value"; "" where it has nothing, and shows no drafts. */
let sent = "";

export const showsDrafts = () => hostSetting(SHOW_DRAFTS) === true;

/** Begins to listen: the server gets the setting now, after each change, and when it doesn't know this page any more. */
export function followDraftSetting() {
  onHostSetting(() => void send());
  api.addEventListener("status", () => void send()); // the first one comes with the page's id
  api.addEventListener("reconnected", () => {
    sent = "";
    void send();
  });
  void send();
}

async function send() {
  const show = showsDrafts();
  const wanted = `${api.clientId} ${show}`;
  if (!api.clientId || wanted === sent || (!show && !sent)) return;
  const before = sent;
  sent = wanted;
  const answer = await ask("/drafts", { method: "POST", body: { client: api.clientId, show } }).catch(() => null);
  if (answer?.show !== show && sent === wanted) sent = before; // the next status of the queue is the next try
}
