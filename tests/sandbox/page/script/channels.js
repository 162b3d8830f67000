/** The list of conversations, with what is unread in each. */

import { h, reconcile } from "./dom.js";
import { conversationName } from "./names.js";

/** Draw the list; `open(id)` goes to a conversation. */
export function drawChannels(nav, channels, here, me, open) {
  const rows = channels.map((channel) => ({
    id: channel.id,
    name: conversationName(channel, me),
    isArchived: channel.is_archived,
    unread: channel.unread,
    isHere: channel.id === here,
  }));
  reconcile(nav, rows, ({ id }) => id, (row) => drawRow(row, open));
}

function drawRow({ id, name, isArchived, unread, isHere }, open) {
  const badge = h("span", { class: "unread" }, `${unread}`, h("span", { class: "heard" }, " unread"));
  return h(
    "button",
    {
      type: "button",
      "aria-current": isHere ? "page" : null,
      class: unread ? "has-unread" : "",
      onclick: () => open(id),
    },
    h("span", {}, name),
    isArchived && h("span", { class: "about" }, "archived"),
    unread > 0 && badge,
  );
}
