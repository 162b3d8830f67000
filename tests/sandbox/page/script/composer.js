/** The field for messages and commands. It offers commands while the user types. */

import { ConflictError } from "./api.js";
import { h, setText } from "./dom.js";
import { arrowStep, listboxOption, setActiveOption } from "./listbox.js";

const UNREACHABLE = "The sandbox does not answer: this was not sent.";

/** The field. `send(text)` sends what was typed. */
export class Composer {
  constructor(form, send) {
    this.send = send;
    this.commands = [];
    this.channel = null;
    this.drafts = new Map(); // by channel: what was typed there and not sent
    this.active = 0;
    this.field = this.makeField();
    this.list = h("div", { id: "commands", role: "listbox", "aria-label": "Commands", hidden: true });
    this.error = h("p", { class: "strip", role: "alert", hidden: true });
    this.button = h("button", { type: "submit", class: "primary" }, "Send");
    form.append(this.error, this.list, this.field, this.button);
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
      oninput: () => this.offer(this.matching()),
      onkeydown: (event) => this.key(event),
      onblur: () => this.offer([]),
    });
  }

  /** Show the field for a channel, with the draft that was typed there. */
  draw(channel, name, commands) {
    this.commands = commands;
    const hint = channel.is_archived ? `${name} is archived` : `Message ${name}, or type /`;
    this.field.placeholder = hint;
    this.field.disabled = channel.is_archived;
    if (channel.id === this.channel) return;
    if (this.channel) this.drafts.set(this.channel, this.field.value);
    this.channel = channel.id;
    this.field.value = this.drafts.get(channel.id) ?? "";
    this.error.hidden = true;
  }

  matching() {
    const typed = this.field.value;
    if (!typed.startsWith("/") || typed.includes(" ")) return [];
    return this.commands.filter(({ command }) => command.startsWith(typed) && command !== typed);
  }

  /** Offer these commands. An empty list closes the listbox. */
  offer(commands) {
    this.active = Math.min(this.active, Math.max(0, commands.length - 1));
    const options = commands.map((command, at) => this.option(command, at));
    this.list.replaceChildren(...options);
    this.list.hidden = !options.length;
    setActiveOption(this.field, options.length > 0, options[this.active]);
  }

  option(command, at) {
    const isActive = at === this.active;
    return listboxOption(
      {
        id: `command-${at}`,
        isActive,
        isSelected: isActive,
        onclick: () => this.complete(command),
      },
      h("strong", {}, command.command),
      ` ${command.usage_hint}`,
      h("span", { class: "about" }, command.description),
    );
  }

  complete({ command }) {
    this.field.value = `${command} `;
    this.offer([]);
  }

  key(event) {
    const offered = this.list.hidden ? [] : this.matching();
    if (!offered.length || event.shiftKey) return;
    const step = arrowStep(event);
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
    this.error.hidden = true;
    this.button.setAttribute("aria-busy", "true");
    try {
      await this.send(typed);
    } catch (error) {
      this.field.value ||= typed; // keep what was typed, unless the user has typed on
      setText(this.error, error instanceof ConflictError ? error.message : UNREACHABLE);
      this.error.hidden = false;
    } finally {
      this.button.removeAttribute("aria-busy");
    }
  }
}
