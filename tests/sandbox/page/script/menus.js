/** Menus that are searched while typing: pick one, or several as tokens that can be removed. */

import { describedBy, freshId, h, reconcile } from "./dom.js";

const WAITS = 150; // ms after the last key before the bot is asked
const [LEAST, MOST, EDGE] = [170, 270, 8]; // px of a panel's height, and from the window's edge

/** Draw a menu of any of the types that search or take several. */
export function searchMenu(block, element, form, ids) {
  return new Menu(block, element, form, ids).node;
}

class Menu {
  constructor(block, element, form, ids) {
    Object.assign(this, { block, element, form, ids });
    this.isMulti = element.type.startsWith("multi_");
    this.isOpen = false;
    this.shown = []; // options as they stand in the list
    this.active = -1; // the one that Enter picks
    this.asking = null; // the search under way, to be called off by the next
    this.drawn = ""; // which are chosen, as the list shows it
    this.follow = (event) => event.target !== this.list && this.place();
    this.listId = freshId("list");
    this.list = this.makeList();
    this.status = h("div", { role: "status", class: "status" });
    this.panel = this.makePanel();
    this.tokens = h("ul", { class: "tokens", "aria-label": "Chosen" });
    this.field = this.makeField();
    const box = h("div", { class: "box" }, this.isMulti && this.tokens, this.field);
    this.node = h("div", { class: "menu" }, box, this.panel);
    this.node.fieldId = this.field.id;
    this.node.sync = () => this.sync();
    this.node.addEventListener("focusout", (event) => {
      if (!this.node.contains(event.relatedTarget)) this.close();
    });
  }

  /** Name it where no label beside it does. */
  named() {
    const { ids, element } = this;
    return ids.label ? { "aria-labelledby": ids.label } : { "aria-label": element.placeholder?.text ?? "Search" };
  }

  makeList() {
    const many = { "aria-multiselectable": this.isMulti ? "true" : null };
    return h("div", { id: this.listId, role: "listbox", hidden: true, ...many, ...this.named() });
  }

  /** Lay what was found over the form: nothing else may move while it comes and goes. */
  makePanel() {
    const keepFocus = (event) => event.preventDefault();
    return h("div", { popover: "manual", class: "panel", onmousedown: keepFocus }, this.status, this.list);
  }

  makeField() {
    return h("input", {
      id: freshId("field"),
      type: "text",
      role: "combobox",
      autocomplete: "off",
      spellcheck: "false",
      placeholder: this.element.placeholder?.text,
      "aria-expanded": "false",
      "aria-controls": this.listId,
      "aria-autocomplete": "list",
      "aria-describedby": describedBy(this.ids),
      "data-focus": this.element.action_id,
      ...this.named(),
      oninput: () => this.search(WAITS),
      onclick: () => this.search(0),
      onkeydown: (event) => this.key(event),
    });
  }

  /** Show what is chosen. */
  sync() {
    const chosen = this.chosen();
    if (this.isMulti) {
      reconcile(this.tokens, chosen, ({ value }) => value, (option) => this.token(option));
      this.field.placeholder = chosen.length ? "" : (this.element.placeholder?.text ?? "");
    } else if (!this.isOpen) {
      this.field.value = chosen[0]?.text.text ?? "";
    }
    const values = JSON.stringify(chosen.map(({ value }) => value));
    if (values !== this.drawn) this.drawList();
    this.drawn = values;
  }

  chosen() {
    const entry = this.form.entry(this.block, this.element);
    return (entry?.selected_options ?? [entry?.selected_option]).filter(Boolean);
  }

  token(option) {
    const name = option.text.text;
    const remove = () => {
      this.take(this.chosen().filter(({ value }) => value !== option.value));
      this.field.focus();
    };
    const about = { "aria-label": `Remove ${name}`, "data-focus": "remove" };
    const cross = h("button", { type: "button", ...about, onclick: remove }, "×");
    return h("li", { class: "token" }, h("span", {}, name), cross);
  }

  /** Ask for options after so many ms without another key; only the last question counts. */
  async search(after) {
    this.isOpen = true;
    this.asking?.abort();
    const asking = (this.asking = new AbortController());
    const isOfChosen = !this.isMulti && this.field.value === this.chosen()[0]?.text.text;
    const query = isOfChosen ? "" : this.field.value;
    // What is still shown is of another question: Enter would pick somebody who was not meant.
    this.active = -1;
    this.drawList();
    await new Promise((resolve) => setTimeout(resolve, after));
    if (asking.signal.aborted) return;
    this.say("Searching…");
    const found = this.offered(query) ?? (await this.form.search(this.block, this.element, query, asking.signal));
    if (asking.signal.aborted) return;
    this.shown = found;
    this.active = found.length ? 0 : -1;
    this.say(found.length ? "" : "No results");
  }

  /** Search what the menu itself offers; null where the bot is asked. */
  offered(query) {
    const { options, option_groups: groups } = this.element;
    if (!options && !groups) return null;
    const fits = (option) => option.text.text.toLowerCase().includes(query.toLowerCase());
    return (groups ?? [{ options }]).flatMap((group) =>
      group.options.filter(fits).map((option) => ({
        text: option.text.text,
        value: option.value,
        description: option.description?.text,
        group: group.label?.text,
      })),
    );
  }

  close() {
    this.asking?.abort();
    this.isOpen = false;
    this.shown = [];
    this.active = -1;
    this.status.textContent = "";
    this.field.value = this.isMulti ? "" : (this.chosen()[0]?.text.text ?? "");
    this.drawList();
  }

  say(words) {
    this.status.textContent = words;
    this.drawList();
  }

  drawList() {
    const chosen = this.chosen().map(({ value }) => value);
    const rows = this.shown.map((option, at) => this.row(option, at, chosen.includes(option.value)));
    this.list.replaceChildren(...this.grouped(rows));
    this.list.hidden = !rows.length;
    this.field.setAttribute("aria-expanded", String(rows.length > 0));
    this.point(rows[this.active]);
    this.place();
  }

  /** Put the panel under the field, or over it where there is more room. */
  place() {
    const isSeen = Boolean(this.shown.length || this.status.textContent) && this.node.isConnected;
    this.panel.togglePopover(isSeen);
    document[isSeen ? "addEventListener" : "removeEventListener"]("scroll", this.follow, true);
    if (!isSeen) return;
    const { left, top, bottom, width } = this.field.closest(".box").getBoundingClientRect();
    const [over, under] = [top - EDGE, innerHeight - bottom - EDGE];
    const isOver = under < LEAST && over > under;
    Object.assign(this.panel.style, {
      left: `${left}px`,
      width: `${width}px`,
      maxHeight: `${Math.min(MOST, isOver ? over : under)}px`,
      top: isOver ? "auto" : `${bottom}px`,
      bottom: isOver ? `${innerHeight - top}px` : "auto",
    });
  }

  point(row) {
    if (row) this.field.setAttribute("aria-activedescendant", row.id);
    else this.field.removeAttribute("aria-activedescendant");
  }

  /** Put rows under their headings, where they have some. */
  grouped(rows) {
    const groups = new Map();
    rows.forEach((row, at) => {
      const name = this.shown[at].group ?? "";
      groups.set(name, [...(groups.get(name) ?? []), row]);
    });
    return [...groups].flatMap(([name, some]) => {
      const title = h("div", { class: "group", "aria-hidden": "true" }, name);
      return name ? [h("div", { role: "group", "aria-label": name }, title, some)] : some;
    });
  }

  row(option, at, isChosen) {
    return h(
      "div",
      {
        id: `${this.listId}-${at}`,
        role: "option",
        class: at === this.active ? "active" : "",
        "aria-selected": String(isChosen),
        onclick: () => this.pick(option),
      },
      h("span", {}, option.text),
      option.description && h("span", { class: "about" }, option.description),
    );
  }

  pick(picked) {
    const option = { value: picked.value, text: { type: "plain_text", text: picked.text } };
    const chosen = this.chosen();
    const rest = chosen.filter(({ value }) => value !== option.value);
    const isOff = this.isMulti && rest.length < chosen.length;
    this.close();
    this.take(isOff ? rest : [...(this.isMulti ? chosen : []), option]);
  }

  take(options) {
    const most = this.element.max_selected_items;
    if (most && options.length > most) this.say(`${most} at most`);
    else this.form.choose(this.block, this.element, options);
  }

  key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      this.move(step);
    } else if (event.key === "Enter") {
      // Never the form's own submit: a name half typed is no answer.
      event.preventDefault();
      if (this.shown[this.active]) this.pick(this.shown[this.active]);
    } else if (event.key === "Escape" && this.isOpen) {
      event.preventDefault();
      this.close();
    } else if (event.key === "Backspace" && this.isMulti && !this.field.value) {
      this.take(this.chosen().slice(0, -1));
    }
  }

  move(step) {
    if (!this.isOpen) return this.search(0);
    const count = this.shown.length;
    if (!count) return;
    this.active = (this.active + step + count) % count;
    this.drawList();
    this.list.querySelector(".active").scrollIntoView({ block: "nearest" });
  }
}
