/** The messages of a conversation, as one user sees them. */

import { drawBlock } from "./blocks.js";
import { h, reconcile } from "./dom.js";
import { mrkdwnNodes } from "./mrkdwn.js";
import { timeOfDay, userName } from "./names.js";

const NEAR_END = 60; // px

/**
 * Draw the messages, and what Slack itself told the user here. `click(message, block, element)`
 * presses a button. `errors` has the error of a press, by the message's ts.
 */
export function drawMessages(log, channel, errors, click) {
  const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_END;
  const isOther = log.dataset.channel !== channel.id;
  log.dataset.channel = channel.id;
  // A screen reader must not read all messages of a channel that was just opened.
  log.setAttribute("aria-live", isOther ? "off" : "polite");
  const shown = [...channel.messages, ...channel.notices.map(asMessage)]
    .sort((one, other) => (one.ts < other.ts ? -1 : 1))
    .map((message) => ({ ...message, pressError: errors[message.ts] ?? "", channel: channel.id }));
  reconcile(log, shown, ({ ts }) => `${channel.id} ${ts}`, (one) => drawMessage(one, click));
  if (isOther || isAtEnd) log.scrollTop = log.scrollHeight;
}

/** Return a notice of Slack itself as a message that only this user sees. */
const asMessage = ({ ts, text }) => ({ ts, text, user: "Slackbot", only_for: "you", isLiteral: true });

function drawMessage(message, click) {
  const name = userName(message.user);
  return h(
    "article",
    { class: message.only_for ? "message only-you" : "message" },
    h("span", { class: "face", "aria-hidden": "true" }, [...name][0]),
    h(
      "div",
      { class: "said" },
      message.only_for && h("p", { class: "about" }, "Only visible to you"),
      drawHeading(message, name),
      drawContent(message, click),
      message.edited && h("span", { class: "about" }, "(edited)"),
      message.pressError && h("p", { class: "strip", role: "alert" }, message.pressError),
    ),
  );
}

function drawHeading(message, name) {
  return h(
    "p",
    { class: "by" },
    h("strong", {}, name),
    message.bot_id && h("span", { class: "app" }, "APP"),
    h("time", {}, timeOfDay(Number(message.ts))),
    message.thread_ts && h("span", { class: "about" }, "in a thread"),
  );
}

function drawContent(message, click) {
  const form = { press: (block, element) => click(message, block, element) };
  const blocks = (message.blocks ?? []).map((block) => drawBlock(block, form));
  if (blocks.length) return blocks;
  return h("p", { class: "plain" }, message.isLiteral ? message.text : mrkdwnNodes(message.text));
}
