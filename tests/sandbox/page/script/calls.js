/** The log of the bot's HTTP calls: the request, the status and the time taken. */

import { h, reconcile } from "./dom.js";

/** The log, with one list for each service. */
export class Calls {
  constructor(section) {
    this.lists = { realtimekit: h("ol", { class: "log" }), slack: h("ol", { class: "log" }) };
    section.append(
      h("details", { open: true }, h("summary", {}, "RealtimeKit"), this.lists.realtimekit),
      h("details", {}, h("summary", {}, "Slack"), this.lists.slack),
    );
  }

  /** Show the calls to a service, the newest first. */
  draw(service, calls) {
    reconcile(this.lists[service], calls.toReversed(), (call) => call.number, drawCall);
  }
}

function drawCall(call, before) {
  const status = call.status ?? (call.ended_at ? "no answer" : "…");
  const isFine = typeof status === "number" && status < 400 && !call.error;
  return h(
    "li",
    {},
    h(
      "details",
      { open: before?.querySelector("details").open },
      h(
        "summary",
        { "data-focus": "call" },
        h("span", { class: isFine ? "status fine" : "status" }, `${call.error ?? status}`),
        h("code", {}, `${call.method} ${shorten(call.path)}`),
        h("span", { class: "about" }, times(call)),
      ),
      h("pre", { tabindex: "0" }, httpRequest(call)),
    ),
  );
}

function times({ started_at: start, ended_at: end }) {
  const took = start && end ? `${new Date(end) - new Date(start)} ms` : "";
  return `${new Date(start ?? end).toLocaleTimeString()} ${took}`;
}

function httpRequest(call) {
  const query = new URLSearchParams(call.query ?? {}).toString();
  const bearer = call.token ? `\nAuthorization: Bearer ${call.token}` : "";
  const body = call.body == null ? "" : `\n\n${JSON.stringify(call.body, null, 2)}`;
  return `${call.method} ${call.path}${query && `?${query}`}${bearer}${body}`;
}

/** Leave out the part that all paths share, and most of each id. */
const shorten = (path) =>
  path.replace(/^.*\/realtime\/kit\/[^/]+/, "…").replace(/([0-9a-f]{8})-[0-9a-f-]{27}/g, "$1…");
