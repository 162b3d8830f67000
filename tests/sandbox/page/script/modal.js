/** The modals somebody has open: the one on top is seen, the others wait under it. */

import { drawBlock } from "./blocks.js";
import { askNoMore } from "./confirm.js";
import { h, reconcile, setText } from "./dom.js";
import { AGAIN_AFTER, Gone, ifPossible, Refused } from "./services.js";

const FIELD = ":is(input, textarea, select)";

/** Shows the stack in one dialog; the browser keeps the focus in it. */
export class Modals {
  /**
   * `act(name, body)` does something as the person; `back` gets the focus where closing the last
   * view would leave it nowhere.
   */
  constructor(dialog, act, back) {
    this.dialog = dialog;
    this.act = act;
    this.back = back;
    this.view = null;
    this.entered = new Map(); // by block and action: what the stand-in does not know yet
    this.complaints = {}; // by block: what the client would not send
    this.trouble = ""; // why nothing was sent, where that is no block's fault
    document.addEventListener("keydown", (event) => this.key(event));
    this.dialog.addEventListener("cancel", (event) => event.preventDefault());
    this.layOut();
  }

  layOut() {
    const leave = (how) => () => ifPossible(this.act(how));
    const cross = { type: "button", class: "cross", "aria-label": "Close all" };
    this.title = h("h2", { id: "modal-title", tabindex: "-1" });
    this.strip = h("p", { class: "strip", role: "alert", hidden: true });
    this.body = h("div", { class: "body" });
    this.closing = h("button", { type: "button", onclick: leave("cancel") });
    this.submit = h("button", { type: "submit", class: "primary" });
    this.heard = h("p", { class: "heard", role: "status" });
    const form = h(
      "form",
      { novalidate: true, onsubmit: (event) => this.send(event) },
      h("header", {}, this.title, h("button", { ...cross, onclick: leave("dismiss") }, "×")),
      this.strip,
      this.body,
      h("footer", {}, this.closing, this.submit),
    );
    this.dialog.replaceChildren(form, this.heard);
  }

  /** Do something to the view on top, unless another one is there by then. */
  onTop(name, body = {}, ...more) {
    return this.act(name, { view_id: this.view.id, ...body }, ...more);
  }

  /** Show the view on top of the stack, or none. */
  draw(stack) {
    const view = stack.at(-1) ?? null;
    const isOther = view?.id !== this.view?.id;
    const isChanged = isOther || view?.hash !== this.view?.hash;
    const isWrong = JSON.stringify(view?.errors) !== JSON.stringify(this.view?.errors);
    this.view = view;
    if (isChanged) this.forget(isOther);
    if (!view) return this.close();
    const held = this.dialog.contains(document.activeElement);
    this.drawFrame(view);
    reconcile(this.body, view.blocks, ({ block_id }) => block_id, (block) => drawBlock(block, this.form()));
    this.sync();
    if (!this.dialog.open) this.dialog.showModal();
    // A view that was loading had nothing but its title.
    const waits = isChanged && document.activeElement === this.title;
    if (isOther || waits || (held && this.hasLostFocus())) this.focusFirst();
    if (isWrong) this.showWrong();
    if (isChanged) setText(this.heard, `${view.title.text}. ${this.body.innerText}`.slice(0, 500));
  }

  forget(isOther) {
    this.complaints = {};
    this.trouble = "";
    askNoMore();
    if (!isOther) return;
    this.entered.clear();
    this.body.replaceChildren();
  }

  close() {
    if (!this.dialog.open) return;
    this.dialog.close();
    const active = document.activeElement;
    if (active === document.body || this.dialog.contains(active)) this.back.focus();
  }

  drawFrame(view) {
    setText(this.title, view.title.text);
    setText(this.closing, view.close?.text ?? (view.submit ? "Cancel" : "Close"));
    this.submit.hidden = !view.submit;
    setText(this.submit, view.submit?.text ?? "");
  }

  sync() {
    const strip = this.view.strip ?? this.trouble;
    this.strip.hidden = !strip;
    setText(this.strip, strip);
    for (const node of this.body.children) node.sync?.();
  }

  /** Tell whether the focus was on something that has gone, or is hidden, by now. */
  hasLostFocus() {
    const active = document.activeElement;
    return !this.dialog.contains(active) || !active.checkVisibility();
  }

  showWrong() {
    const wrong = this.body.querySelector(".wrong");
    wrong?.querySelector(FIELD)?.focus();
    wrong?.scrollIntoView({ block: "nearest" });
  }

  focusFirst() {
    (this.body.querySelector(FIELD) ?? this.title).focus();
  }

  /** What the elements of the view act on. */
  form() {
    const named = (block, element) => ({ block_id: block.block_id, action_id: element.action_id });
    const key = (block, element) => `${block.block_id} ${element.action_id}`;
    return {
      entry: (block, element) =>
        this.entered.get(key(block, element)) ??
        this.view?.state.values[block.block_id]?.[element.action_id],
      error: (block) => this.view?.errors[block.block_id] ?? this.complaints[block.block_id] ?? "",
      write: (block, element, text) =>
        this.enter("write", key(block, element), { value: text }, { ...named(block, element), text }),
      choose: (block, element, options) => {
        const values = options.map(({ value }) => value);
        const entry = { selected_options: options };
        this.enter("choose", key(block, element), entry, { ...named(block, element), values });
      },
      press: (block, element) => ifPossible(this.onTop("press", named(block, element))),
      search: async (block, element, query, signal) => {
        const asked = this.onTop("type-ahead", { ...named(block, element), query }, { signal });
        const stopped = (error) => {
          if (error.name !== "AbortError") throw error;
        };
        return (await ifPossible(asked.catch(stopped)))?.options ?? [];
      },
    };
  }

  /** Enter something: it is seen at once, and told to the stand-in in its turn. */
  async enter(name, key, entry, body) {
    const view = this.view.id;
    delete this.complaints[body.block_id];
    this.entered.set(key, entry);
    this.sync();
    const done = () => {
      if (this.entered.get(key) === entry) this.entered.delete(key);
    };
    try {
      await this.onTop(name, body, { done });
    } catch (error) {
      if (view !== this.view?.id) return;
      const isLatest = this.entered.get(key) === entry;
      if (error instanceof Gone && isLatest) setTimeout(() => this.enter(name, key, entry, body), AGAIN_AFTER);
      else this.complain(error, body.block_id);
    }
  }

  async send(event) {
    event.preventDefault();
    if (this.submit.hidden || this.submit.getAttribute("aria-busy")) return;
    this.submit.setAttribute("aria-busy", "true");
    try {
      await this.onTop("submit");
    } catch (error) {
      this.complain(error);
    } finally {
      this.submit.removeAttribute("aria-busy");
    }
  }

  /** Show at their blocks what the client would not send. */
  complain(error, block) {
    if (!(error instanceof Refused)) return ifPossible(Promise.reject(error));
    const { message, complaints } = error;
    this.complaints = block ? { [block]: message } : complaints;
    this.trouble = Object.keys(this.complaints).length ? "" : message;
    if (!this.view) return undefined;
    this.sync();
    this.showWrong();
    return undefined;
  }

  key(event) {
    const isOurs = this.dialog.open && !document.getElementById("confirm").open;
    if (event.key !== "Escape" || event.defaultPrevented || !isOurs) return;
    event.preventDefault();
    // Whatever is on top by then: who presses twice means two views.
    ifPossible(this.act("cancel"));
  }
}
