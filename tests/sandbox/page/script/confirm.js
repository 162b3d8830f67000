/** What Slack's client asks before a button is pressed for good. */

import { h } from "./dom.js";
import { words } from "./mrkdwn.js";

const dialog = document.getElementById("confirm");

/** Take a question back whose view has changed. */
export function askNoMore() {
  dialog.close("no");
}

/** Ask; resolves to whether the answer was yes. Escape says no. */
export function confirmed(asked) {
  const style = asked.style === "danger" ? "danger" : "primary";
  dialog.replaceChildren(
    h("h2", { id: "confirm-title" }, asked.title.text),
    h("p", { id: "confirm-text" }, words(asked.text)),
    h(
      "footer",
      {},
      h("button", { type: "button", onclick: () => dialog.close("no") }, asked.deny.text),
      h(
        "button",
        { type: "button", class: style, onclick: () => dialog.close("yes") },
        asked.confirm.text,
      ),
    ),
  );
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.onclose = () => resolve(dialog.returnValue === "yes");
  });
}
