/** The names that readers see in the place of ids; an unknown id stands for itself. */

let known = { people: [], groups: [], channels: [], bot: null };

/** Take over who and what there is in the workspace. */
export function learn(workspace) {
  known = workspace;
}

const find = (list, id) => list.find((one) => one.id === id);

export const userName = (id) => find([...known.people, known.bot], id)?.name ?? id;
export const groupName = (id) => `@${find(known.groups, id)?.handle ?? id}`;
export const channelName = (id) => `#${find(known.channels, id)?.name ?? id}`;

/** Name a conversation for somebody who is in it: direct ones by who else is. */
export function conversationName(channel, me) {
  if (!channel.is_im) return `#${channel.name}`;
  const others = channel.members.filter((id) => id !== me);
  return others.length ? others.map(userName).join(", ") : userName(known.bot.id);
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { year: "numeric", month: "long", day: "numeric" });

/** Show a time of day, from seconds since the epoch. */
export const timeOfDay = (seconds) => clock.format(new Date(seconds * 1000));

/** Fill Slack's date template in; `fallback` is shown where there is no such date. */
export function date(seconds, template, fallback = "") {
  const moment = new Date(seconds * 1000);
  if (Number.isNaN(moment.getTime())) return fallback;
  return template.replace(/\{(\w+)\}/g, (whole, token) => {
    if (token.startsWith("time")) return clock.format(moment);
    return token.startsWith("date") ? day.format(moment) : whole;
  });
}
