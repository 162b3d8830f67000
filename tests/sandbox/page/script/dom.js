/** Helpers for the document. Text is always inserted as text: nothing here parses HTML. */

export const byId = (id) => document.getElementById(id);

/**
 * Make an element. Of `props`, `on…` are listeners and the others are attributes: true sets an
 * empty one, false and null set none. Children are nodes or texts; null and false are left out.
 */
export function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children.flat().filter((child) => child != null && child !== false));
  return node;
}

/** Set a text only if it differs: a screen reader reads every change. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

const drawnItems = new WeakMap(); // the JSON of the item that each node shows

/**
 * Make the children of `parent` match a list, one child for each item. The node of an unchanged
 * item stays, with what was typed into it. If a new node replaces the focused one, the focus moves
 * to it. `make(item, before)` gets the node that is replaced, if any.
 */
export function reconcile(parent, items, key, make) {
  const restoreFocus = saveFocus(parent);
  const before = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  const wanted = new Set(items.map((item) => String(key(item))));
  for (const [name, node] of before) if (!wanted.has(name)) node.remove();
  items.forEach((item, at) => {
    const name = String(key(item));
    const node = reuseOrReplace(before.get(name), name, item, make);
    if (parent.children[at] !== node) parent.insertBefore(node, parent.children[at] ?? null);
  });
  restoreFocus();
}

function reuseOrReplace(old, name, item, make) {
  const json = JSON.stringify(item);
  if (old && drawnItems.get(old) === json) return old;
  const node = make(item, old);
  node.dataset.key = name;
  drawnItems.set(node, json);
  old?.replaceWith(node);
  return node;
}

/** Return a function that gives the focus back to `parent`, if it was there and is lost. */
function saveFocus(parent) {
  const active = document.activeElement;
  const child = parent.contains(active) ? active.closest("[data-key]") : null;
  if (!child) return () => {};
  const at = [...parent.children].indexOf(child);
  const { selectionStart, selectionEnd } = active;
  return () => {
    if (document.activeElement === active) return;
    const next = active.isConnected ? active : replacementOf(active, child, parent, at);
    next.focus();
    if (selectionStart != null) next.setSelectionRange?.(selectionStart, selectionEnd);
  };
}

/** Find what replaces `active`: in the same child, or the child now in its place, or `parent`. */
function replacementOf(active, child, parent, at) {
  const all = [...parent.children];
  const now = all.find((node) => node.dataset.key === child.dataset.key) ?? all[at] ?? all.at(-1);
  const parts = [...(now?.querySelectorAll("[data-focus]") ?? [])];
  const same = parts.find((node) => node.dataset.focus === active.dataset.focus);
  return (active === child ? now : same) ?? parent.closest("[tabindex]") ?? document.body;
}

let count = 0;

/** Return a new id. */
export const freshId = (name) => `${name}-${(count += 1)}`;

/** Return the ids of a field's hint and error, for a screen reader. */
export const describedBy = (ids) => [ids.hint, ids.error].filter(Boolean).join(" ") || null;
