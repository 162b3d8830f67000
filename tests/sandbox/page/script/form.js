/** What the elements of a modal read from and act on. */

import { ignoreImpossible, RETRY_DELAY, UnreachableError } from "./api.js";

const idsOf = (block, element) => ({ block_id: block.block_id, action_id: element.action_id });
const keyOf = (block, element) => `${block.block_id} ${element.action_id}`;

/** Return what a search was to find, or nothing if a later search has cancelled it. */
const ignoreAbort = (promise) =>
  promise.catch((error) => {
    if (error.name !== "AbortError") throw error;
  });

export class Form {
  constructor(modals) {
    this.modals = modals;
    this.pending = new Map(); // by block and element: the entries that the stand-in does not have
  }

  clear() {
    this.pending.clear();
  }

  text(block, element) {
    return this.entry(block, element)?.value ?? "";
  }

  /** Return the chosen options. */
  selected(block, element) {
    const entry = this.entry(block, element);
    return (entry?.selected_options ?? [entry?.selected_option]).filter(Boolean);
  }

  entry(block, element) {
    const values = this.modals.view?.state.values;
    return this.pending.get(keyOf(block, element)) ?? values?.[block.block_id]?.[element.action_id];
  }

  error(block) {
    const { view, errors } = this.modals;
    return view?.errors[block.block_id] ?? errors[block.block_id] ?? "";
  }

  write(block, element, text) {
    const body = { ...idsOf(block, element), text };
    this.enter("write", keyOf(block, element), { value: text }, body);
  }

  choose(block, element, options) {
    const body = { ...idsOf(block, element), values: options.map(({ value }) => value) };
    this.enter("choose", keyOf(block, element), { selected_options: options }, body);
  }

  press(block, element) {
    ignoreImpossible(this.modals.actOnTop("press", idsOf(block, element)));
  }

  async search(block, element, query, signal) {
    const body = { ...idsOf(block, element), query };
    const found = this.modals.actOnTop("type-ahead", body, { signal });
    return (await ignoreImpossible(ignoreAbort(found)))?.options ?? [];
  }

  /** Show an entry at once, and send it to the stand-in. */
  async enter(name, key, entry, body) {
    const view = this.modals.view.id;
    delete this.modals.errors[body.block_id];
    this.pending.set(key, entry);
    this.modals.sync();
    const isLatest = () => this.pending.get(key) === entry;
    const done = () => isLatest() && this.pending.delete(key);
    try {
      await this.modals.actOnTop(name, body, { done });
    } catch (error) {
      if (view !== this.modals.view?.id) return;
      const isLost = error instanceof UnreachableError && isLatest();
      if (isLost) setTimeout(() => this.enter(name, key, entry, body), RETRY_DELAY);
      else this.modals.showError(error, body.block_id);
    }
  }
}
