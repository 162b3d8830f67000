/** The messages of a conversation, as one person sees them. */

import { drawBlock } from "./blocks.js";
import { h, reconcile } from "./dom.js";
import { mrkdwn } from "./mrkdwn.js";
import { timeOfDay, userName } from "./names.js";

const NEAR = 60; // px from the end that still count as being at the end

/**
 * Draw the messages, and what Slack itself told this person here. `click(message, block, element)`
 * presses a button; `troubles` says, by ts, what came of one that nobody answered.
 */
export function drawMessages(log, channel, troubles, click) {
  const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < NEAR;
  const isElsewhere = log.dataset.channel !== channel.id;
  log.dataset.channel = channel.id;
  // A history that was just gone to is not read out like news.
  log.setAttribute("aria-live", isElsewhere ? "off" : "polite");
  const shown = [...channel.messages, ...channel.notices.map(asMessage)]
    .sort((one, other) => (one.ts < other.ts ? -1 : 1))
    .map((message) => ({ ...message, trouble: troubles[message.ts] ?? "", channel: channel.id }));
  reconcile(log, shown, ({ ts }) => `${channel.id} ${ts}`, (one) => drawMessage(one, click));
  if (isElsewhere || isAtEnd) log.scrollTop = log.scrollHeight;
}

/** Read what Slack itself said as a message that only this person sees. */
const asMessage = ({ ts, text }) => ({ ts, text, user: "Slackbot", only_for: "you", isLiteral: true });

function drawMessage(message, click) {
  const name = userName(message.user);
  const form = { press: (block, element) => click(message, block, element) };
  const said = message.isLiteral ? message.text : mrkdwn(message.text);
  const blocks = (message.blocks ?? []).map((block) => drawBlock(block, form));
  return h(
    "article",
    { class: message.only_for ? "message only-you" : "message" },
    h("span", { class: "face", "aria-hidden": "true" }, [...name][0]),
    h(
      "div",
      { class: "said" },
      message.only_for && h("p", { class: "about" }, "Only visible to you"),
      h(
        "p",
        { class: "by" },
        h("strong", {}, name),
        message.bot_id && h("span", { class: "app" }, "APP"),
        h("time", {}, timeOfDay(Number(message.ts))),
        message.thread_ts && h("span", { class: "about" }, "in a thread"),
      ),
      blocks.length ? blocks : h("p", { class: "plain" }, said),
      message.edited && h("span", { class: "about" }, "(edited)"),
      message.trouble && h("p", { class: "strip", role: "alert" }, message.trouble),
    ),
  );
}
