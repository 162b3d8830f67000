/** The confirmation dialog of a button. */

import { byId, h } from "./dom.js";
import { textNodes } from "./mrkdwn.js";

const dialog = byId("confirm");

/** Close the dialog, because the view with its button has changed. */
export function closeConfirmation() {
  dialog.close("no");
}

/** Ask, and resolve to whether the answer was yes. Escape means no. */
export function confirm(texts) {
  const answer = (value, props, text) =>
    h("button", { type: "button", ...props, onclick: () => dialog.close(value) }, text.text);
  const style = texts.style === "danger" ? "danger" : "primary";
  dialog.replaceChildren(
    h("h2", { id: "confirm-title" }, texts.title.text),
    h("p", { id: "confirm-text" }, textNodes(texts.text)),
    h("footer", {}, answer("no", {}, texts.deny), answer("yes", { class: style }, texts.confirm)),
  );
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.onclose = () => resolve(dialog.returnValue === "yes");
  });
}
