/** Says over the place of a picture that it is being loaded, or why it could not be. */
import { el } from "../dom.mjs";
import { ApiError, ask } from "../server.mjs";
import { sentences, t } from "../i18n.mjs";

export class LoadState {
  constructor() {
    this.root = el("p", { class: "nb-load", role: "status", hidden: true });
  }

  /** Style sheets show it only once a moment has passed: most pictures are here by then. */
  begin() {
    this.say("loading", t("viewer.loading"));
  }

  end() {
    this.root.hidden = true;
    this.root.textContent = "";
  }

  /** Says that a picture could not be loaded, and why, where the server knows it. @param {string} id Of the picture. @param {() => boolean} isCurrent */
  async fail(id, isCurrent) {
    this.say("failed", t("viewer.failed"));
    const why = await ask(`/results/${encodeURIComponent(id)}/image`).then(
      () => "",
      (error) => (error instanceof ApiError && error.status ? error.message : ""), // bytes that are no picture are no JSON either
    );
    if (why && isCurrent()) this.say("failed", sentences(t("viewer.failed"), why));
  }

  /** @param {"loading" | "failed"} state @param {string} text */
  say(state, text) {
    this.root.dataset["state"] = state;
    this.root.textContent = text;
    this.root.hidden = false;
  }
}
