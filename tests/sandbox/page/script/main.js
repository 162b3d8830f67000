/** The page: one person's Slack beside the meetings, both as the stand-ins have them now. */

import { h, setText } from "./dom.js";
import { MeetingSide } from "./meeting_side.js";
import { learn } from "./names.js";
import { ask, ifPossible, live } from "./services.js";
import { SlackSide } from "./slack_side.js";

const APPROVER = "U0MO";
const GONE = "The sandbox does not answer. Is `make demo` still running?";

const $ = (id) => document.getElementById(id);

/** Let one look at a time be under way, and one more follow if it was asked for meanwhile. */
function oneAtATime(look) {
  let running = null;
  let isAsked = false;
  const lookOn = async () => {
    while (isAsked) {
      isAsked = false;
      await look();
    }
  };
  return () => {
    isAsked = true;
    running ??= lookOn().finally(() => (running = null));
    return running;
  };
}

function chooseWho(people, me) {
  $("act-as").append(
    ...people.map(({ id, name, about }) =>
      h("option", { value: id, selected: id === me.id }, about ? `${name} (${about})` : name),
    ),
  );
  $("second-window").href = `?as=${me.id === APPROVER ? people[0].id : APPROVER}`;
  document.title = `${me.name} · Kickbot sandbox`;
}

const wanted = new URLSearchParams(location.search);
const workspace = await ask("/slack/sandbox/workspace");
const me = workspace.people.find(({ id }) => id === wanted.get("as")) ?? workspace.people[0];
learn(workspace);
chooseWho(workspace.people, me);

const slack = new SlackSide(me, me.is_stranger ? [] : workspace.commands, wanted.get("channel"));
const meeting = new MeetingSide();
// By what the sandbox says has changed.
const looks = {
  slack: oneAtATime(() => slack.look()),
  rooms: oneAtATime(() => meeting.lookAtRooms()),
  faults: oneAtATime(() => meeting.lookAtFaults()),
  calls: oneAtATime(() => meeting.lookAtCalls()),
};
let known = {};

function lookAgain(now) {
  const changed = Object.keys(looks).filter((part) => now[part] !== known[part]);
  known = now;
  return Promise.all(changed.map((part) => looks[part]()));
}

await Promise.all(Object.values(looks).map((look) => look()));
document.addEventListener("visibilitychange", () => slack.draw());
live(
  (now) => ifPossible(lookAgain(now)),
  (isThere) => {
    if (isThere) slack.forget();
    if (isThere) known = {};
    setText($("gone"), isThere ? "" : GONE);
    $("gone").hidden = isThere;
  },
);
document.body.dataset.ready = "yes";
