/** The list of conversations, with the number of unread messages in each. */

import { h, reconcile } from "./dom.js";
import { conversationName } from "./names.js";

/** Draw the list. `open(id)` opens a conversation. */
export function drawChannels(nav, channels, openId, userId, open) {
  const rows = channels.map((channel) => ({
    id: channel.id,
    name: conversationName(channel, userId),
    isArchived: channel.is_archived,
    unread: channel.unread,
    isOpen: channel.id === openId,
  }));
  reconcile(nav, rows, ({ id }) => id, (row) => drawRow(row, open));
}

function drawRow({ id, name, isArchived, unread, isOpen }, open) {
  const label = h("span", { class: "screen-reader" }, " unread");
  return h(
    "button",
    {
      type: "button",
      "aria-current": isOpen ? "page" : null,
      class: unread ? "has-unread" : "",
      onclick: () => open(id),
    },
    h("span", {}, name),
    isArchived && h("span", { class: "about" }, "archived"),
    unread > 0 && h("span", { class: "unread" }, `${unread}`, label),
  );
}
