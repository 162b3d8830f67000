/** The right side: the meetings, the faults and the bot's calls, which Slack's users do not see. */

import { ignoreImpossible, request } from "./api.js";
import { Calls } from "./calls.js";
import { byId } from "./dom.js";
import { Faults } from "./faults.js";
import { drawMeetings } from "./meetings.js";

const MAX_TILES = 48; // in a meeting: the newest participants
const MAX_CALLS = 60; // of a service: the newest calls
const SERVICES = ["realtimekit", "slack"];

export class MeetingPane {
  constructor() {
    this.switches = 0; // counts switches, to ignore a list of faults from before one
    this.calls = new Calls(byId("calls"));
    this.faults = new Faults(
      byId("faults"),
      (service, fault, body) => this.switchFault(service, fault, { method: "PUT", body }),
      (service, fault) => this.switchFault(service, fault, { method: "DELETE" }),
    );
  }

  async switchFault(service, fault, options) {
    this.switches += 1;
    await ignoreImpossible(request(`/${service}/sandbox/faults/${fault}`, options));
    this.switches += 1;
    await ignoreImpossible(this.refreshFaults());
  }

  async refreshMeetings() {
    const { meetings } = await request(`/realtimekit/sandbox/meetings?people=${MAX_TILES}`);
    drawMeetings(byId("meetings"), meetings, (path, body = {}) =>
      ignoreImpossible(request(`/realtimekit/sandbox/${path}`, { method: "POST", body })),
    );
  }

  async refreshFaults() {
    const before = this.switches;
    const known = await Promise.all(
      SERVICES.map((service) => request(`/${service}/sandbox/faults`)),
    );
    if (before !== this.switches) return;
    this.faults.draw(Object.fromEntries(SERVICES.map((service, at) => [service, known[at]])));
  }

  async refreshCalls() {
    for (const service of SERVICES) {
      const { calls } = await request(`/${service}/sandbox/calls?last=${MAX_CALLS}`);
      this.calls.draw(service, calls);
    }
  }
}
