/** Switches for the faults that the stand-ins can play. The most useful ones come first. */

import { freshId, h, reconcile } from "./dom.js";

const COMMON = [
  common("realtimekit", "slow", "The kick takes 5 s", { op: "kick", seconds: 5 }),
  common("realtimekit", "rate_limited", "The kick is rate limited (429)", { op: "kick", retry_after: 30 }),
  common("realtimekit", "server_error", "The kick fails (500)", { op: "kick" }),
  common("realtimekit", "reset_after", "The kick works, its answer is lost", { op: "kick" }),
  common("realtimekit", "lagging_list", "Lists lag by 10 s", { seconds: 10 }),
  common("slack", "lost_delivery", "Slack waits 3 s for the bot in vain"),
  common("slack", "no_delivery", "Slack can't reach the bot"),
  common("slack", "socket_refresh", "Slack asks for a new socket"),
];
const NAMES = { realtimekit: "RealtimeKit", slack: "Slack" };

function common(service, fault, label, parameters = {}) {
  return { service, fault, label, parameters };
}

const keyOf = ({ service, fault }) => `${service} ${fault}`;

/** The panel. `switchOn(service, fault, parameters)` and `switchOff(service, fault)` are called. */
export class Faults {
  constructor(section, switchOn, switchOff) {
    this.switchOn = switchOn;
    this.switchOff = switchOff;
    this.times = h(
      "select",
      {},
      h("option", { value: "1" }, "the next time"),
      h("option", { value: "" }, "until switched off"),
    );
    this.common = h("ul", { class: "switches" });
    this.rest = h("ul", { class: "switches" });
    section.append(
      h("label", { class: "often" }, "A switch counts for ", this.times),
      this.common,
      h("details", {}, h("summary", {}, "Everything else that can go wrong"), this.rest),
    );
  }

  /** Show which faults are on. `known` are the faults of each service, by name. */
  draw(known) {
    const isCommon = new Set(COMMON.map(keyOf));
    const rest = Object.entries(known)
      .flatMap(([service, faults]) => Object.keys(faults).map((name) => common(service, name, name)))
      .filter((row) => !isCommon.has(keyOf(row)));
    this.drawList(this.common, COMMON, known);
    this.drawList(this.rest, rest, known);
  }

  drawList(list, rows, known) {
    const described = rows.map((row) => ({ ...row, about: known[row.service][row.fault].what }));
    reconcile(list, described, keyOf, (row) => this.row(row));
    rows.forEach(({ service, fault }, at) => list.children[at].sync(known[service][fault].on));
  }

  row({ service, fault, parameters, label, about }) {
    const id = freshId("fault");
    const box = h("input", {
      type: "checkbox",
      role: "switch",
      "aria-describedby": id,
      onchange: () => this.toggle(box.checked, service, fault, parameters),
    });
    const text = `${NAMES[service]}: ${about}`;
    const node = h(
      "li",
      {},
      h("label", {}, box, h("span", {}, label)),
      h("span", { id, class: "about" }, text),
    );
    node.sync = (isOn) => (box.checked = isOn);
    return node;
  }

  toggle(isOn, service, fault, parameters) {
    if (!isOn) return this.switchOff(service, fault);
    const times = this.times.value ? { times: Number(this.times.value) } : {};
    return this.switchOn(service, fault, { ...parameters, ...times });
  }
}
