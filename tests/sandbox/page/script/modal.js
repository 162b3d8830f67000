/** The user's open modals in one dialog, which shows the top one. */

import { ConflictError, ignoreImpossible, UnreachableError } from "./api.js";
import { drawBlock } from "./blocks.js";
import { closeConfirmation } from "./confirm.js";
import { byId, h, reconcile, setText } from "./dom.js";
import { Form } from "./form.js";

const FIELD = ":is(input, textarea, select)";

export class Modals {
  /**
   * `act(name, body)` acts as the user. `fallback` gets the focus when the last modal closes and
   * nothing else has it.
   */
  constructor(dialog, act, fallback) {
    this.dialog = dialog;
    this.act = act;
    this.fallback = fallback;
    this.view = null;
    this.form = new Form(this);
    this.errors = {}; // by block: why the client does not submit the form
    this.error = ""; // why nothing was sent, if no block is the reason
    document.addEventListener("keydown", (event) => this.key(event));
    this.dialog.addEventListener("cancel", (event) => event.preventDefault());
    this.makeFrame();
  }

  makeFrame() {
    const leave = (how) => () => ignoreImpossible(this.act(how));
    const cross = { type: "button", class: "cross", "aria-label": "Close all" };
    this.title = h("h2", { id: "modal-title", tabindex: "-1" });
    this.strip = h("p", { class: "strip", role: "alert", hidden: true });
    this.body = h("div", { class: "body" });
    this.closeButton = h("button", { type: "button", onclick: leave("cancel") });
    this.submitButton = h("button", { type: "submit", class: "primary" });
    this.status = h("p", { class: "screen-reader", role: "status" });
    const frame = h(
      "form",
      { novalidate: true, onsubmit: (event) => this.submit(event) },
      h("header", {}, this.title, h("button", { ...cross, onclick: leave("dismiss") }, "×")),
      this.strip,
      this.body,
      h("footer", {}, this.closeButton, this.submitButton),
    );
    this.dialog.replaceChildren(frame, this.status);
  }

  /** Act on the top view. The stand-in refuses if another view is the top one by then. */
  actOnTop(name, body = {}, options = {}) {
    return this.act(name, { view_id: this.view.id, ...body }, options);
  }

  /** Show the top view of the stack, or nothing. */
  draw(stack) {
    const view = stack.at(-1) ?? null;
    const isOther = view?.id !== this.view?.id;
    const isChanged = isOther || view?.hash !== this.view?.hash;
    const hasNewErrors = JSON.stringify(view?.errors) !== JSON.stringify(this.view?.errors);
    this.view = view;
    if (isChanged) this.reset(isOther);
    if (!view) return this.close();
    const hadFocus = this.dialog.contains(document.activeElement);
    this.drawView(view);
    if (!this.dialog.open) this.dialog.showModal();
    // A view that was loading had no field, so the title has the focus.
    const wasLoading = isChanged && document.activeElement === this.title;
    if (isOther || wasLoading || (hadFocus && this.hasLostFocus())) this.focusFirst();
    if (hasNewErrors) this.showFirstError();
    if (isChanged) this.announce(view);
    return undefined;
  }

  drawView(view) {
    setText(this.title, view.title.text);
    setText(this.closeButton, view.close?.text ?? (view.submit ? "Cancel" : "Close"));
    this.submitButton.hidden = !view.submit;
    setText(this.submitButton, view.submit?.text ?? "");
    const key = ({ block_id }) => block_id;
    reconcile(this.body, view.blocks, key, (block) => drawBlock(block, this.form));
    this.sync();
  }

  sync() {
    const error = this.view.strip ?? this.error;
    this.strip.hidden = !error;
    setText(this.strip, error);
    for (const node of this.body.children) node.sync?.();
  }

  reset(isOther) {
    this.errors = {};
    this.error = "";
    closeConfirmation();
    if (!isOther) return;
    this.form.clear();
    this.body.replaceChildren();
  }

  close() {
    if (!this.dialog.open) return;
    this.dialog.close();
    const active = document.activeElement;
    if (active === document.body || this.dialog.contains(active)) this.fallback.focus();
  }

  announce(view) {
    setText(this.status, `${view.title.text}. ${this.body.innerText}`.slice(0, 500));
  }

  /** Tell whether the focused element was removed or hidden. */
  hasLostFocus() {
    const active = document.activeElement;
    return !this.dialog.contains(active) || !active.checkVisibility();
  }

  focusFirst() {
    (this.body.querySelector(FIELD) ?? this.title).focus();
  }

  showFirstError() {
    const block = this.body.querySelector(".wrong");
    block?.querySelector(FIELD)?.focus();
    block?.scrollIntoView({ block: "nearest" });
  }

  async submit(event) {
    event.preventDefault();
    if (this.submitButton.hidden || this.submitButton.getAttribute("aria-busy")) return;
    this.submitButton.setAttribute("aria-busy", "true");
    try {
      await this.actOnTop("submit");
    } catch (error) {
      this.showError(error);
    } finally {
      this.submitButton.removeAttribute("aria-busy");
    }
  }

  /** Show why the client refused to enter something into a block, or to submit. */
  showError(error, blockId) {
    if (error instanceof UnreachableError) return;
    if (!(error instanceof ConflictError)) throw error;
    this.errors = blockId ? { [blockId]: error.message } : error.errors;
    this.error = Object.keys(this.errors).length ? "" : error.message;
    if (!this.view) return;
    this.sync();
    this.showFirstError();
  }

  key(event) {
    const isForModal = this.dialog.open && !byId("confirm").open;
    if (event.key !== "Escape" || event.defaultPrevented || !isForModal) return;
    event.preventDefault();
    // Escape closes whatever is the top view by then, so a second press closes a second view.
    ignoreImpossible(this.act("cancel"));
  }
}
