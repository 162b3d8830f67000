/** Where somebody types: messages, and commands, which are offered while they type. */

import { h, setText } from "./dom.js";
import { Refused } from "./services.js";

const NOBODY = "Nobody answers: this was not sent.";

/** Makes the field; `send(text)` does what was typed. */
export class Composer {
  constructor(form, send) {
    this.send = send;
    this.commands = [];
    this.channel = null;
    this.drafts = new Map(); // by channel: what was typed there and not sent
    this.active = 0;
    this.field = this.makeField();
    this.offers = h("div", { id: "commands", role: "listbox", "aria-label": "Commands", hidden: true });
    this.said = h("p", { class: "strip", role: "alert", hidden: true });
    this.button = h("button", { type: "submit", class: "primary" }, "Send");
    form.append(this.said, this.offers, this.field, this.button);
    form.addEventListener("submit", (event) => this.submit(event));
  }

  makeField() {
    return h("input", {
      type: "text",
      role: "combobox",
      autocomplete: "off",
      "aria-autocomplete": "list",
      "aria-controls": "commands",
      "aria-expanded": "false",
      "aria-label": "Message or command",
      oninput: () => this.offer(this.fitting()),
      onkeydown: (event) => this.key(event),
      onblur: () => this.offer([]),
    });
  }

  /** Show where one would write; what was typed elsewhere waits there. */
  draw(channel, name, commands) {
    this.commands = commands;
    const hint = channel.is_archived ? `${name} is archived` : `Message ${name}, or type /`;
    this.field.placeholder = hint;
    this.field.disabled = channel.is_archived;
    if (channel.id === this.channel) return;
    if (this.channel) this.drafts.set(this.channel, this.field.value);
    this.channel = channel.id;
    this.field.value = this.drafts.get(channel.id) ?? "";
    this.said.hidden = true;
  }

  fitting() {
    const typed = this.field.value;
    if (!typed.startsWith("/") || typed.includes(" ")) return [];
    return this.commands.filter(({ command }) => command.startsWith(typed) && command !== typed);
  }

  /** Offer these commands; none closes the list. */
  offer(commands) {
    this.active = Math.min(this.active, Math.max(0, commands.length - 1));
    this.offers.replaceChildren(...commands.map((one, at) => this.row(one, at)));
    this.offers.hidden = !commands.length;
    this.field.setAttribute("aria-expanded", String(commands.length > 0));
    if (commands.length) this.field.setAttribute("aria-activedescendant", `command-${this.active}`);
    else this.field.removeAttribute("aria-activedescendant");
  }

  row(one, at) {
    const isActive = at === this.active;
    return h(
      "div",
      {
        id: `command-${at}`,
        role: "option",
        class: isActive ? "active" : "",
        "aria-selected": String(isActive),
        onmousedown: (event) => event.preventDefault(), // the field keeps the focus
        onclick: () => this.complete(one),
      },
      h("strong", {}, one.command),
      ` ${one.usage_hint}`,
      h("span", { class: "about" }, one.description),
    );
  }

  complete({ command }) {
    this.field.value = `${command} `;
    this.offer([]);
  }

  key(event) {
    const offered = this.offers.hidden ? [] : this.fitting();
    if (!offered.length || event.shiftKey) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      this.active = (this.active + step + offered.length) % offered.length;
      this.offer(offered);
    } else if (event.key === "Tab" || event.key === "Enter") this.complete(offered[this.active]);
    else if (event.key === "Escape") this.offer([]);
    else return;
    event.preventDefault();
  }

  async submit(event) {
    event.preventDefault();
    const typed = this.field.value;
    if (!typed.trim()) return;
    this.field.value = "";
    this.offer([]);
    this.said.hidden = true;
    this.button.setAttribute("aria-busy", "true");
    try {
      await this.send(typed);
    } catch (error) {
      this.field.value ||= typed; // nothing that was typed is lost
      setText(this.said, error instanceof Refused ? error.message : NOBODY);
      this.said.hidden = false;
    } finally {
      this.button.removeAttribute("aria-busy");
    }
  }
}
