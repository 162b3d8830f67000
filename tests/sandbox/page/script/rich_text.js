/** Block Kit's rich text as nodes. */

import { h } from "./dom.js";
import { link, mention } from "./mrkdwn.js";
import { channelName, formatDate, groupName, userName } from "./names.js";
import { unsupported } from "./unsupported.js";

const RUNS = {
  text: (run) => run.text,
  user: (run) => mention(`@${userName(run.user_id)}`),
  usergroup: (run) => mention(groupName(run.usergroup_id)),
  channel: (run) => mention(channelName(run.channel_id)),
  broadcast: (run) => mention(`@${run.range}`),
  date: (run) => h("time", {}, formatDate(run.timestamp, run.format, run.fallback)),
  link: (run) => link(run.url, run.text ?? run.url),
  emoji: (run) => `:${run.name}:`,
};

const PARTS = {
  rich_text_section: (part) => h("p", {}, runs(part)),
  rich_text_quote: (part) => h("blockquote", {}, runs(part)),
  rich_text_preformatted: (part) => h("pre", {}, runs(part)),
  rich_text_list: (part) =>
    h(
      part.style === "ordered" ? "ol" : "ul",
      { class: part.indent ? "indented" : null, start: part.offset ? part.offset + 1 : null },
      part.elements.map((item) => h("li", {}, runs(item))),
    ),
};

const STYLES = { bold: "strong", italic: "em", strike: "s", code: "code", underline: "u" };

/** Draw a rich_text block. */
export function richText(block) {
  return h("div", { class: "rich" }, block.elements.map((part) => draw(PARTS, part)));
}

function runs(part) {
  return part.elements.map((run) => {
    const styles = Object.keys(STYLES).filter((style) => run.style?.[style]);
    return styles.reduce((inner, style) => h(STYLES[style], {}, inner), draw(RUNS, run));
  });
}

function draw(drawers, item) {
  return Object.hasOwn(drawers, item.type) ? drawers[item.type](item) : unsupported(item.type);
}
