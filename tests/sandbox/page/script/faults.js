/** Switches for all that the stand-ins can play; those that matter most come first. */

import { freshId, h, reconcile } from "./dom.js";

const COMMON = [
  { of: "rooms", fault: "slow", how: { op: "kick", seconds: 5 }, words: "The kick takes 5 s" },
  { of: "rooms", fault: "rate_limited", how: { op: "kick", retry_after: 30 }, words: "The kick is rate limited (429)" },
  { of: "rooms", fault: "server_error", how: { op: "kick" }, words: "The kick fails (500)" },
  { of: "rooms", fault: "reset_after", how: { op: "kick" }, words: "The kick works, its answer is lost" },
  { of: "rooms", fault: "lagging_list", how: { seconds: 10 }, words: "Lists lag by 10 s" },
  { of: "slack", fault: "lost_delivery", how: {}, words: "Slack waits 3 s for the bot in vain" },
  { of: "slack", fault: "no_delivery", how: {}, words: "Slack can't reach the bot" },
  { of: "slack", fault: "socket_refresh", how: {}, words: "Slack asks for a new socket" },
];
const NAMES = { rooms: "RealtimeKit", slack: "Slack" };

const keyOf = ({ of, fault }) => `${of} ${fault}`;

/** Makes the panel; `switchOn(of, fault, how)` and `switchOff(of, fault)` do the switching. */
export class Faults {
  constructor(section, switchOn, switchOff) {
    this.switchOn = switchOn;
    this.switchOff = switchOff;
    this.often = h(
      "select",
      {},
      h("option", { value: "1" }, "the next time"),
      h("option", { value: "" }, "until switched off"),
    );
    this.common = h("ul", { class: "switches" });
    this.rest = h("ul", { class: "switches" });
    section.append(
      h("label", { class: "often" }, "A switch counts for ", this.often),
      this.common,
      h("details", {}, h("summary", {}, "Everything else that can go wrong"), this.rest),
    );
  }

  /** Show which are on; `known` are the faults of each stand-in, by name. */
  draw(known) {
    const about = (one) => ({ ...one, about: known[one.of][one.fault].what });
    const common = new Set(COMMON.map(keyOf));
    const all = Object.entries(known).flatMap(([of, faults]) =>
      Object.keys(faults).map((fault) => ({ of, fault, how: {}, words: fault })),
    );
    const rest = all.filter((one) => !common.has(keyOf(one)));
    for (const [list, rows] of [[this.common, COMMON], [this.rest, rest]]) {
      reconcile(list, rows.map(about), keyOf, (one) => this.row(one));
      rows.forEach(({ of, fault }, at) => list.children[at].sync(known[of][fault].on));
    }
  }

  row({ of, fault, how, words, about }) {
    const turn = () => (box.checked ? this.turnOn(of, fault, how) : this.switchOff(of, fault));
    const id = freshId("fault");
    const box = h("input", { type: "checkbox", role: "switch", "aria-describedby": id, onchange: turn });
    const label = h("label", {}, box, h("span", {}, words));
    const node = h("li", {}, label, h("span", { id, class: "about" }, `${NAMES[of]}: ${about}`));
    node.sync = (isOn) => (box.checked = isOn);
    return node;
  }

  turnOn(of, fault, how) {
    const times = this.often.value ? { times: Number(this.often.value) } : {};
    this.switchOn(of, fault, { ...how, ...times });
  }
}
