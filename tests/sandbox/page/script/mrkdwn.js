/** Slack's markup as nodes. What people wrote can become emphasis or a mention, never HTML. */

import { h } from "./dom.js";
import { channelName, date, groupName, userName } from "./names.js";

const RULES = [
  [/<([^<>]+)>/, reference],
  [/```([^]+?)```/, (inner) => h("pre", {}, plain(inner))],
  [/`([^`\n]+)`/, (inner) => h("code", {}, plain(inner))],
  [/(?<![\w*])\*(?=\S)([^*\n]+)(?<=\S)\*(?![\w*])/, (inner) => h("strong", {}, mrkdwn(inner))],
  [/(?<![\w_])_(?=\S)([^_\n]+)(?<=\S)_(?![\w_])/, (inner) => h("em", {}, mrkdwn(inner))],
  [/(?<![\w~])~(?=\S)([^~\n]+)(?<=\S)~(?![\w~])/, (inner) => h("s", {}, mrkdwn(inner))],
];

/** Show a text object: plain text as it stands, markup as markup. */
export const words = (object) => (object.type === "mrkdwn" ? mrkdwn(object.text) : object.text);

/** Turn a text with markup into nodes. */
export function mrkdwn(text) {
  const nodes = [];
  const rules = RULES.map(([rule, make]) => ({ rule: new RegExp(rule, "g"), make, found: undefined }));
  let from = 0;
  for (let next = nearest(rules, text, from); next; next = nearest(rules, text, from)) {
    if (next.found.index > from) nodes.push(plain(text.slice(from, next.found.index)));
    nodes.push(next.make(next.found[1]));
    from = next.found.index + next.found[0].length;
  }
  if (from < text.length) nodes.push(plain(text.slice(from)));
  return nodes;
}

/** Find the rule that fits first from here on; each looks only past what it found before. */
function nearest(rules, text, from) {
  for (const one of rules) {
    if (one.found === null || one.found?.index >= from) continue;
    one.rule.lastIndex = from;
    one.found = one.rule.exec(text);
  }
  const fitting = rules.filter(({ found }) => found);
  return fitting.sort((one, other) => one.found.index - other.found.index)[0];
}

function plain(text) {
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}

/** Show what stands between < and >: a mention, a date or a link. */
function reference(inner) {
  const [target, ...rest] = inner.split("|");
  const label = plain(rest.join("|"));
  const [kind, ...more] = target.slice(1).split("^");
  if (target.startsWith("!date^")) return date(Number(more[0]), more[1] ?? "", label);
  if (target.startsWith("!subteam^")) return mention(label || groupName(more[0]));
  if (target.startsWith("!")) return mention(`@${kind}`);
  if (target.startsWith("@")) return mention(`@${userName(kind)}`);
  if (target.startsWith("#")) return mention(channelName(kind));
  return link(plain(target), label || plain(target));
}

/** Show a mention. */
export const mention = (name) => h("span", { class: "mention" }, name);

/** Show a link; only to the web, and telling nobody where it was followed from. */
export function link(url, shown) {
  if (!/^(https?|mailto):/i.test(url)) return shown;
  return h("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, shown);
}
