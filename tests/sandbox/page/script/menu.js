/** Menus with a search field. One chosen option is shown in the field, several as tokens. */

import { describedBy, freshId, h, reconcile } from "./dom.js";
import { arrowStep, listboxOption, setActiveOption } from "./listbox.js";

const SEARCH_DELAY = 150; // ms after the last key
const [MIN_HEIGHT, MAX_HEIGHT, MARGIN] = [170, 270, 8]; // px: of a panel, and to the window's edge

/** Draw a menu that searches, or from which several options can be chosen. */
export function drawMenu(block, element, form, ids) {
  return new Menu(block, element, form, ids).node;
}

class Menu {
  constructor(block, element, form, ids) {
    Object.assign(this, { block, element, form, ids });
    this.isMulti = element.type.startsWith("multi_");
    this.isOpen = false;
    this.options = []; // shown in the list
    this.active = -1; // the index of the option that Enter chooses
    this.search = null; // the AbortController of the search that is running
    this.shownValues = ""; // the chosen values that the list shows
    this.draw();
  }

  draw() {
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
    this.onScroll = (event) => event.target !== this.list && this.positionPanel();
  }

  /** Return the attributes that name the menu for a screen reader. */
  nameAttributes() {
    const { ids, element } = this;
    return ids.label
      ? { "aria-labelledby": ids.label }
      : { "aria-label": element.placeholder?.text ?? "Search" };
  }

  makeList() {
    const multi = { "aria-multiselectable": this.isMulti ? "true" : null };
    const name = this.nameAttributes();
    return h("div", { id: this.listId, role: "listbox", hidden: true, ...multi, ...name });
  }

  /** Make the panel, which lies above the form: nothing in the form moves when it appears. */
  makePanel() {
    const keepFocus = (event) => event.preventDefault();
    const props = { popover: "manual", class: "panel", onmousedown: keepFocus };
    return h("div", props, this.status, this.list);
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
      ...this.nameAttributes(),
      oninput: () => this.startSearch(SEARCH_DELAY),
      onclick: () => this.startSearch(0),
      onkeydown: (event) => this.key(event),
    });
  }

  chosen() {
    return this.form.selected(this.block, this.element);
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
    if (values !== this.shownValues) this.drawList();
    this.shownValues = values;
  }

  token(option) {
    const name = option.text.text;
    const remove = () => {
      this.choose(this.chosen().filter(({ value }) => value !== option.value));
      this.field.focus();
    };
    const about = { "aria-label": `Remove ${name}`, "data-focus": "remove" };
    const cross = h("button", { type: "button", ...about, onclick: remove }, "×");
    return h("li", { class: "token" }, h("span", {}, name), cross);
  }

  /** Search after `delay` ms without another key. A new search cancels the one before it. */
  async startSearch(delay) {
    this.isOpen = true;
    this.search?.abort();
    const search = (this.search = new AbortController());
    const showsChosen = !this.isMulti && this.field.value === this.chosen()[0]?.text.text;
    const query = showsChosen ? "" : this.field.value;
    // The list still shows the options of the last query. Enter must not choose one of them.
    this.active = -1;
    this.drawList();
    await new Promise((resolve) => setTimeout(resolve, delay));
    if (search.signal.aborted) return;
    this.setStatus("Searching…");
    const found = await this.find(query, search.signal);
    if (search.signal.aborted) return;
    this.options = found;
    this.active = found.length ? 0 : -1;
    this.setStatus(found.length ? "" : "No results");
  }

  find(query, signal) {
    const { options, option_groups: groups } = this.element;
    if (!options && !groups) return this.form.search(this.block, this.element, query, signal);
    const matches = (option) => option.text.text.toLowerCase().includes(query.toLowerCase());
    return (groups ?? [{ options }]).flatMap((group) =>
      group.options.filter(matches).map((option) => ({
        text: option.text.text,
        value: option.value,
        description: option.description?.text,
        group: group.label?.text,
      })),
    );
  }

  close() {
    this.search?.abort();
    this.isOpen = false;
    this.options = [];
    this.active = -1;
    this.status.textContent = "";
    this.field.value = this.isMulti ? "" : (this.chosen()[0]?.text.text ?? "");
    this.drawList();
  }

  setStatus(text) {
    this.status.textContent = text;
    this.drawList();
  }

  drawList() {
    const chosen = this.chosen().map(({ value }) => value);
    const nodes = this.options.map((option, at) => this.option(option, at, chosen));
    this.list.replaceChildren(...this.grouped(nodes));
    this.list.hidden = !nodes.length;
    setActiveOption(this.field, nodes.length > 0, nodes[this.active]);
    this.positionPanel();
  }

  option(option, at, chosen) {
    return listboxOption(
      {
        id: `${this.listId}-${at}`,
        isActive: at === this.active,
        isSelected: chosen.includes(option.value),
        onclick: () => this.pick(option),
      },
      h("span", {}, option.text),
      option.description && h("span", { class: "about" }, option.description),
    );
  }

  /** Return the options' nodes under their headings, if they have some. */
  grouped(nodes) {
    const groups = new Map();
    nodes.forEach((node, at) => {
      const name = this.options[at].group ?? "";
      groups.set(name, [...(groups.get(name) ?? []), node]);
    });
    return [...groups].flatMap(([name, some]) => {
      const title = h("div", { class: "group", "aria-hidden": "true" }, name);
      return name ? [h("div", { role: "group", "aria-label": name }, title, some)] : some;
    });
  }

  /** Show the panel below the field, or above it if there is more room. */
  positionPanel() {
    const isShown = Boolean(this.options.length || this.status.textContent) && this.node.isConnected;
    this.panel.togglePopover(isShown);
    document[isShown ? "addEventListener" : "removeEventListener"]("scroll", this.onScroll, true);
    if (!isShown) return;
    const { left, top, bottom, width } = this.field.closest(".box").getBoundingClientRect();
    const [above, below] = [top - MARGIN, innerHeight - bottom - MARGIN];
    const isAbove = below < MIN_HEIGHT && above > below;
    Object.assign(this.panel.style, {
      left: `${left}px`,
      width: `${width}px`,
      maxHeight: `${Math.min(MAX_HEIGHT, isAbove ? above : below)}px`,
      top: isAbove ? "auto" : `${bottom}px`,
      bottom: isAbove ? `${innerHeight - top}px` : "auto",
    });
  }

  /** Choose an option. In a menu for several, a chosen one is removed instead. */
  pick(picked) {
    const option = { value: picked.value, text: { type: "plain_text", text: picked.text } };
    const chosen = this.chosen();
    const others = chosen.filter(({ value }) => value !== option.value);
    const isRemoved = this.isMulti && others.length < chosen.length;
    this.close();
    this.choose(isRemoved ? others : [...(this.isMulti ? chosen : []), option]);
  }

  choose(options) {
    const most = this.element.max_selected_items;
    if (most && options.length > most) this.setStatus(`${most} at most`);
    else this.form.choose(this.block, this.element, options);
  }

  key(event) {
    const step = arrowStep(event);
    if (step) {
      event.preventDefault();
      this.move(step);
    } else if (event.key === "Enter") {
      // Enter must not submit the form while a name is half typed.
      event.preventDefault();
      if (this.options[this.active]) this.pick(this.options[this.active]);
    } else if (event.key === "Escape" && this.isOpen) {
      event.preventDefault();
      this.close();
    } else if (event.key === "Backspace" && this.isMulti && !this.field.value) {
      this.choose(this.chosen().slice(0, -1));
    }
  }

  move(step) {
    if (!this.isOpen) return this.startSearch(0);
    const count = this.options.length;
    if (!count) return undefined;
    this.active = (this.active + step + count) % count;
    this.drawList();
    return this.list.querySelector(".active").scrollIntoView({ block: "nearest" });
  }
}
