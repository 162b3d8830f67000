/** Slack's mrkdwn as nodes. A text can become emphasis, a link or a mention, but never HTML. */

import { h } from "./dom.js";
import { channelName, formatDate, groupName, userName } from "./names.js";

const RULES = [
  [/<([^<>]+)>/, reference],
  [/```([^]+?)```/, (inner) => h("pre", {}, unescape(inner))],
  [/`([^`\n]+)`/, (inner) => h("code", {}, unescape(inner))],
  [/(?<![\w*])\*(?=\S)([^*\n]+)(?<=\S)\*(?![\w*])/, (inner) => h("strong", {}, mrkdwnNodes(inner))],
  [/(?<![\w_])_(?=\S)([^_\n]+)(?<=\S)_(?![\w_])/, (inner) => h("em", {}, mrkdwnNodes(inner))],
  [/(?<![\w~])~(?=\S)([^~\n]+)(?<=\S)~(?![\w~])/, (inner) => h("s", {}, mrkdwnNodes(inner))],
];

/** Return the nodes of a text object: plain_text as it is, mrkdwn with its markup. */
export const textNodes = (object) =>
  object.type === "mrkdwn" ? mrkdwnNodes(object.text) : object.text;

/** Return the nodes of a text with markup. */
export function mrkdwnNodes(text) {
  const nodes = [];
  const rules = RULES.map(([rule, make]) => ({ rule: new RegExp(rule, "g"), make, found: undefined }));
  let from = 0;
  for (let next = firstMatch(rules, text, from); next; next = firstMatch(rules, text, from)) {
    if (next.found.index > from) nodes.push(unescape(text.slice(from, next.found.index)));
    nodes.push(next.make(next.found[1]));
    from = next.found.index + next.found[0].length;
  }
  if (from < text.length) nodes.push(unescape(text.slice(from)));
  return nodes;
}

/** Return the rule that matches first at or after `from`. Matches found before are kept. */
function firstMatch(rules, text, from) {
  for (const one of rules) {
    if (one.found === null || one.found?.index >= from) continue;
    one.rule.lastIndex = from;
    one.found = one.rule.exec(text);
  }
  const matching = rules.filter(({ found }) => found);
  return matching.sort((one, other) => one.found.index - other.found.index)[0];
}

function unescape(text) {
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}

/** Return the node of what is between < and >: a mention, a date or a link. */
function reference(inner) {
  const [target, ...rest] = inner.split("|");
  const label = unescape(rest.join("|"));
  const [id, ...more] = target.slice(1).split("^");
  if (target.startsWith("!date^")) return formatDate(Number(more[0]), more[1] ?? "", label);
  if (target.startsWith("!subteam^")) return mention(label || groupName(more[0]));
  if (target.startsWith("!")) return mention(`@${id}`);
  if (target.startsWith("@")) return mention(`@${userName(id)}`);
  if (target.startsWith("#")) return mention(channelName(id));
  return link(unescape(target), label || unescape(target));
}

export const mention = (name) => h("span", { class: "mention" }, name);

/** Return a link, or only its label if the URL does not lead to the web. */
export function link(url, label) {
  if (!/^(https?|mailto):/i.test(url)) return label;
  return h("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, label);
}
