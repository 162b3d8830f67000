/** The meetings, what can go wrong, and what the bot called: all that Slack's people don't see. */

import { Calls } from "./calls.js";
import { Faults } from "./faults.js";
import { drawMeetings } from "./meeting.js";
import { ask, ifPossible } from "./services.js";

const TILES = 48; // people shown of a meeting, the newest
const CALLS = 60; // calls shown of a service, the newest
const SERVICES = ["rooms", "slack"];

const $ = (id) => document.getElementById(id);

export class MeetingSide {
  constructor() {
    this.switched = 0; // how often a switch was begun or done: a look from before is out of date
    this.calls = new Calls($("calls"));
    this.faults = new Faults(
      $("faults"),
      (of, fault, how) => this.turn(of, fault, { method: "PUT", body: how }),
      (of, fault) => this.turn(of, fault, { method: "DELETE" }),
    );
  }

  async turn(of, fault, how) {
    this.switched += 1;
    await ifPossible(ask(`/${of}/sandbox/faults/${fault}`, how));
    this.switched += 1;
    await ifPossible(this.lookAtFaults());
  }

  async lookAtRooms() {
    const { meetings } = await ask(`/rooms/sandbox/meetings?people=${TILES}`);
    const act = (path, body = {}) => ifPossible(ask(`/rooms/sandbox/${path}`, { method: "POST", body }));
    drawMeetings($("rooms"), meetings, act);
  }

  async lookAtFaults() {
    const before = this.switched;
    const known = await Promise.all(SERVICES.map((of) => ask(`/${of}/sandbox/faults`)));
    if (before !== this.switched) return;
    this.faults.draw(Object.fromEntries(SERVICES.map((of, at) => [of, known[at]])));
  }

  async lookAtCalls() {
    for (const of of SERVICES) {
      const { calls } = await ask(`/${of}/sandbox/calls?last=${CALLS}`);
      this.calls.draw(of, calls);
    }
  }
}
