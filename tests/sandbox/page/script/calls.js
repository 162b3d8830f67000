/** The HTTP calls the bot made, readable: what was asked, what came of it, how long it took. */

import { h, reconcile } from "./dom.js";

/** Makes the log, one list for each service. */
export class Calls {
  constructor(section) {
    this.lists = { rooms: h("ol", { class: "log" }), slack: h("ol", { class: "log" }) };
    section.append(
      h("details", { open: true }, h("summary", {}, "RealtimeKit"), this.lists.rooms),
      h("details", {}, h("summary", {}, "Slack"), this.lists.slack),
    );
  }

  /** Show the calls of a service, the newest first. */
  draw(of, calls) {
    reconcile(this.lists[of], calls.toReversed(), (call) => call.number, drawCall);
  }
}

function drawCall(call, before) {
  const status = call.status ?? (call.ended_at ? "no answer" : "…");
  const isFine = typeof status === "number" && status < 400 && !call.error;
  const began = call.started_at ?? call.ended_at;
  const took = call.started_at && call.ended_at ? `${new Date(call.ended_at) - new Date(began)} ms` : "";
  const body = call.body == null ? "" : `\n\n${JSON.stringify(call.body, null, 2)}`;
  const query = new URLSearchParams(call.query ?? {}).toString();
  const bearer = call.token ? `\nAuthorization: Bearer ${call.token}` : "";
  const head = `${call.method} ${call.path}${query && `?${query}`}`;
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
        h("code", {}, `${call.method} ${short(call.path)}`),
        h("span", { class: "about" }, `${new Date(began).toLocaleTimeString()} ${took}`),
      ),
      h("pre", { tabindex: "0" }, head, bearer, body),
    ),
  );
}

/** Leave out of a path what is the same in all of them, and most of each id. */
const short = (path) =>
  path.replace(/^.*\/realtime\/kit\/[^/]+/, "…").replace(/([0-9a-f]{8})-[0-9a-f-]{27}/g, "$1…");
