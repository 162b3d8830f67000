/** Who is in the meetings: tiles that come and go, and whoever was removed. */

import { h, reconcile, setText } from "./dom.js";

const COMES_BACK = { after: 5, times: 3 }; // seconds after a kick; how many kicks they come back from

/** Draw the meetings; `act(path, body)` asks the RealtimeKit stand-in for something. */
export function drawMeetings(section, meetings, act) {
  const frames = meetings.map(({ id, title }) => ({ id, title }));
  reconcile(section, frames, (meeting) => meeting.id, (meeting) => frame(meeting, act));
  meetings.forEach((meeting, at) => section.children[at].sync(meeting));
}

function frame({ id, title }, act) {
  const count = h("span", { class: "count" });
  const tiles = h("ul", { class: "tiles", "aria-label": `In ${brief(title)}` });
  const more = h("p", { class: "about" });
  const removed = h("ul", { class: "removed", "aria-label": `Removed from ${brief(title)}` });
  const heard = h("p", { class: "heard", role: "status" });
  let known = new Set(); // whose removal was told
  const node = h(
    "article",
    { class: "room" },
    h("h2", {}, h("span", { class: "title" }, brief(title)), " ", count),
    tiles,
    more,
    removed,
    joining(id, title, act),
    heard,
  );
  node.sync = (meeting) => {
    const isLive = meeting.session !== null;
    setText(count, isLive ? `${meeting.live.toLocaleString()} live` : "nobody here");
    reconcile(tiles, meeting.people, (one) => one.participant_id, (one) => tile(one, act));
    const hidden = meeting.live - meeting.people.length;
    setText(more, hidden > 0 ? `and ${hidden.toLocaleString()} more` : "");
    reconcile(removed, meeting.removed, (one) => one.participant_id, (one) => drawRemoved(meeting, one, act));
    const news = meeting.removed.filter((one) => !known.has(one.participant_id));
    known = new Set(meeting.removed.map((one) => one.participant_id));
    if (news.length) setText(heard, `Removed: ${news.map(called).map(brief).join(", ")}`);
  };
  return node;
}

const SHORT = 60; // characters of a name that are enough to hear

const called = (person) => person.name?.trim() || person.custom_id || "(no name)";
// The tiles move up when somebody goes: the second click of a double one would meet another.
const once = (act) => (event) => event.detail > 1 || act();
const brief = (name) => [...name].slice(0, SHORT).join("");

function tile(person, act) {
  const name = called(person);
  const tabs = person.peers.length;
  const comesBack = () =>
    act(`participants/${person.participant_id}/comes-back`, person.comes_back ? { times: 0 } : COMES_BACK);
  return h(
    "li",
    { class: "tile" },
    h("span", { class: "face", "aria-hidden": "true" }, [...name][0]),
    h("strong", { class: "name", title: brief(name) }, brief(name)),
    h("span", { class: "about" }, person.preset, tabs > 1 ? ` · ${tabs} tabs` : ""),
    h(
      "span",
      { class: "does" },
      h(
        "button",
        {
          type: "button",
          "data-focus": "leave",
          "aria-label": `Let ${brief(name)} leave`,
          onclick: once(() => person.peers.forEach((peer) => act(`peers/${peer.id}/leave`))),
        },
        "Leave",
      ),
      h(
        "button",
        {
          type: "button",
          "data-focus": "comes-back",
          "aria-label": `${brief(name)} comes back after a kick`,
          "aria-pressed": String(person.comes_back),
          onclick: comesBack,
        },
        "Comes back",
      ),
    ),
  );
}

function drawRemoved(meeting, person, act) {
  const join = () => act(`meetings/${meeting.id}/join`, { participant_id: person.participant_id });
  const name = called(person);
  return h(
    "li",
    {},
    h("span", {}, h("s", {}, brief(name)), " was removed"),
    h(
      "button",
      { type: "button", "data-focus": "rejoin", "aria-label": `Let ${brief(name)} rejoin`, onclick: once(join) },
      "Rejoin",
    ),
  );
}

function joining(id, title, act) {
  const field = h("input", {
    type: "text",
    "aria-label": `Who joins ${brief(title)}`,
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
  return h("form", { class: "joining", onsubmit: join }, field, h("button", { type: "submit" }, "Join"));
}
