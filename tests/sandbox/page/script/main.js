/** The page: Slack as one user sees it, and the meetings beside it. */

import { ignoreImpossible, request, subscribe } from "./api.js";
import { byId, h, setText } from "./dom.js";
import { MeetingPane } from "./meeting_pane.js";
import { setWorkspace } from "./names.js";
import { SlackPane } from "./slack_pane.js";

const APPROVER = "U0MO";
const UNREACHABLE = "The sandbox does not answer. Is `make demo` still running?";

/** Return a function that refreshes. Calls during a refresh cause one more refresh after it. */
function coalesce(refresh) {
  let running = null;
  let isRequested = false;
  const run = async () => {
    while (isRequested) {
      isRequested = false;
      await refresh();
    }
  };
  return () => {
    isRequested = true;
    running ??= run().finally(() => (running = null));
    return running;
  };
}

function showUsers(people, user) {
  byId("act-as").append(
    ...people.map(({ id, name, about }) =>
      h("option", { value: id, selected: id === user.id }, about ? `${name} (${about})` : name),
    ),
  );
  byId("second-window").href = `?as=${user.id === APPROVER ? people[0].id : APPROVER}`;
  document.title = `${user.name} · Kickbot sandbox`;
}

const parameters = new URLSearchParams(location.search);
const workspace = await request("/slack/sandbox/workspace");
const { people } = workspace;
const user = people.find(({ id }) => id === parameters.get("as")) ?? people[0];
setWorkspace(workspace);
showUsers(people, user);

const commands = user.is_stranger ? [] : workspace.commands;
const slack = new SlackPane(user, commands, parameters.get("channel"));
const meetings = new MeetingPane();
// By the part of the page, as the server names it.
const refreshers = {
  slack: coalesce(() => slack.refresh()),
  realtimekit: coalesce(() => meetings.refreshMeetings()),
  faults: coalesce(() => meetings.refreshFaults()),
  calls: coalesce(() => meetings.refreshCalls()),
};
let shown = {}; // the versions that the page shows

function refreshChanged(versions) {
  const changed = Object.keys(refreshers).filter((part) => versions[part] !== shown[part]);
  shown = versions;
  return Promise.all(changed.map((part) => refreshers[part]()));
}

function showConnection(isConnected) {
  if (isConnected) {
    // It may be another sandbox, in which all is different.
    slack.reset();
    shown = {};
  }
  setText(byId("gone"), isConnected ? "" : UNREACHABLE);
  byId("gone").hidden = isConnected;
}

await Promise.all(Object.values(refreshers).map((refresh) => refresh()));
document.addEventListener("visibilitychange", () => slack.draw());
subscribe((versions) => ignoreImpossible(refreshChanged(versions)), showConnection);
document.body.dataset.ready = "yes";
