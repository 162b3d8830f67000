/** Names for ids, and dates for readers. An unknown id is shown as it is. */

let workspace = { people: [], groups: [], channels: [], bot: null };

/** Set the workspace whose names are used. */
export function setWorkspace(shown) {
  workspace = shown;
}

const find = (list, id) => list.find((one) => one.id === id);

export const userName = (id) => find([...workspace.people, workspace.bot], id)?.name ?? id;
export const groupName = (id) => `@${find(workspace.groups, id)?.handle ?? id}`;
export const channelName = (id) => `#${find(workspace.channels, id)?.name ?? id}`;

/** Return the name of a conversation. A direct one has the names of the other members. */
export function conversationName(channel, userId) {
  if (!channel.is_im) return `#${channel.name}`;
  const others = channel.members.filter((id) => id !== userId);
  return others.length ? others.map(userName).join(", ") : userName(workspace.bot.id);
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { year: "numeric", month: "long", day: "numeric" });

/** Return the time of day, from seconds since the epoch. */
export const timeOfDay = (seconds) => clock.format(new Date(seconds * 1000));

/** Fill in Slack's date template. Return `fallback` if the date is not valid. */
export function formatDate(seconds, template, fallback = "") {
  const time = new Date(seconds * 1000);
  if (Number.isNaN(time.getTime())) return fallback;
  return template.replace(/\{(\w+)\}/g, (whole, token) => {
    if (token.startsWith("time")) return clock.format(time);
    return token.startsWith("date") ? day.format(time) : whole;
  });
}
