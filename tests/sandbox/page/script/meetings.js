/** The meetings: a tile for each participant, and the people who were removed. */

import { h, reconcile, setText } from "./dom.js";

const COMES_BACK = { after: 5, times: 3 }; // seconds after a kick, and for how many kicks
const MAX_NAME = 60; // characters

/** Draw the meetings. `act(path, body)` posts to the RealtimeKit stand-in. */
export function drawMeetings(section, meetings, act) {
  const frames = meetings.map(({ id, title }) => ({ id, title }));
  reconcile(section, frames, (meeting) => meeting.id, (meeting) => drawMeeting(meeting, act));
  meetings.forEach((meeting, at) => section.children[at].sync(meeting));
}

function drawMeeting({ id, title }, act) {
  const count = h("span", { class: "count" });
  const tiles = h("ul", { class: "tiles", "aria-label": `In ${shorten(title)}` });
  const more = h("p", { class: "about" });
  const removed = h("ul", { class: "removed", "aria-label": `Removed from ${shorten(title)}` });
  const status = h("p", { class: "screen-reader", role: "status" });
  const announce = announcer(status);
  const heading = h("h2", {}, h("span", { class: "title" }, shorten(title)), " ", count);
  const node = h(
    "article",
    { class: "live-meeting" },
    heading,
    tiles,
    more,
    removed,
    joinForm(id, title, act),
    status,
  );
  const key = (person) => person.participant_id;
  node.sync = (meeting) => {
    const isLive = meeting.session !== null;
    setText(count, isLive ? `${meeting.live.toLocaleString()} live` : "nobody here");
    reconcile(tiles, meeting.people, key, (person) => drawTile(person, act));
    const hidden = meeting.live - meeting.people.length;
    setText(more, hidden > 0 ? `and ${hidden.toLocaleString()} more` : "");
    reconcile(removed, meeting.removed, key, (person) => drawRemoved(meeting, person, act));
    announce(meeting.removed);
  };
  return node;
}

/** Return a function that tells a screen reader who was removed since the last call. */
function announcer(status) {
  let known = new Set();
  return (removed) => {
    const news = removed.filter((person) => !known.has(person.participant_id));
    known = new Set(removed.map((person) => person.participant_id));
    if (news.length) setText(status, `Removed: ${news.map(nameOf).map(shorten).join(", ")}`);
  };
}

const nameOf = (person) => person.name?.trim() || person.custom_id || "(no name)";
const shorten = (name) => [...name].slice(0, MAX_NAME).join("");
// The tiles move up when one goes: the second click of a double click would hit another tile.
const onlyFirstClick = (act) => (event) => event.detail > 1 || act();

function drawTile(person, act) {
  const name = shorten(nameOf(person));
  const tabs = person.peers.length;
  const path = `participants/${person.participant_id}/comes-back`;
  const leave = {
    "data-focus": "leave",
    "aria-label": `Let ${name} leave`,
    onclick: onlyFirstClick(() => person.peers.forEach((peer) => act(`peers/${peer.id}/leave`))),
  };
  const comesBack = {
    "data-focus": "comes-back",
    "aria-label": `${name} comes back after a kick`,
    "aria-pressed": String(person.comes_back),
    onclick: () => act(path, person.comes_back ? { times: 0 } : COMES_BACK),
  };
  return h(
    "li",
    { class: "tile" },
    h("span", { class: "face", "aria-hidden": "true" }, [...name][0]),
    h("strong", { class: "name", title: name }, name),
    h("span", { class: "about" }, person.preset, tabs > 1 ? ` · ${tabs} tabs` : ""),
    h(
      "span",
      { class: "does" },
      h("button", { type: "button", ...leave }, "Leave"),
      h("button", { type: "button", ...comesBack }, "Comes back"),
    ),
  );
}

function drawRemoved(meeting, person, act) {
  const name = shorten(nameOf(person));
  const join = () => act(`meetings/${meeting.id}/join`, { participant_id: person.participant_id });
  const rejoin = {
    "data-focus": "rejoin",
    "aria-label": `Let ${name} rejoin`,
    onclick: onlyFirstClick(join),
  };
  return h(
    "li",
    {},
    h("span", {}, h("s", {}, name), " was removed"),
    h("button", { type: "button", ...rejoin }, "Rejoin"),
  );
}

function joinForm(id, title, act) {
  const field = h("input", {
    type: "text",
    "aria-label": `Who joins ${shorten(title)}`,
    placeholder: "A name",
    autocomplete: "off",
    maxlength: 10000,
  });
  const join = (event) => {
    event.preventDefault();
    const name = field.value.trim();
    field.value = "";
    act(`meetings/${id}/join`, name ? { name } : {});
  };
  const button = h("button", { type: "submit" }, "Join");
  return h("form", { class: "joining", onsubmit: join }, field, button);
}
