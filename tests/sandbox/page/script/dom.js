/** Small tools for the document. Text always goes in as text: nothing here parses HTML. */

/**
 * Make an element. Of `props`, `on…` are listeners, the others attributes; true sets an empty
 * one, false and null none. Children are nodes or texts; null and false are left out.
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

/** Change a text only where it differs: those who hear the page hear every change. */
export function setText(node, words) {
  if (node.textContent !== words) node.textContent = words;
}

const madeOf = new WeakMap();

/**
 * Reconcile the children of `parent` with a list, one child for each item. A child whose item is
 * as it was stays the node it was, with what was typed into it; where another takes its place,
 * the focus follows. `make(item, before)` gets the node that the new one replaces, if any.
 */
export function reconcile(parent, items, key, make) {
  const restore = heldFocus(parent);
  const before = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  const wanted = new Set(items.map((item) => String(key(item))));
  for (const [name, node] of before) if (!wanted.has(name)) node.remove();
  items.forEach((item, at) => {
    const name = String(key(item));
    const what = JSON.stringify(item);
    let node = before.get(name);
    if (!node || madeOf.get(node) !== what) {
      const fresh = make(item, node);
      fresh.dataset.key = name;
      madeOf.set(fresh, what);
      node?.replaceWith(fresh);
      node = fresh;
    }
    if (parent.children[at] !== node) parent.insertBefore(node, parent.children[at] ?? null);
  });
  restore();
}

/** Remember what has the focus within `parent`; the function returned gives it back, if lost. */
function heldFocus(parent) {
  const active = document.activeElement;
  const child = parent.contains(active) ? active.closest("[data-key]") : null;
  if (!child) return () => {};
  const at = [...parent.children].indexOf(child);
  const { selectionStart, selectionEnd } = active;
  return () => {
    if (document.activeElement === active) return;
    const next = active.isConnected ? active : twin(parent, at, child, active);
    next.focus();
    if (selectionStart != null) next.setSelectionRange?.(selectionStart, selectionEnd);
  };
}

/** Find what stands for `active` now: in its child, in the one in its place, or around them. */
function twin(parent, at, child, active) {
  const all = [...parent.children];
  const now = all.find((node) => node.dataset.key === child.dataset.key) ?? all[at] ?? all.at(-1);
  const parts = [...(now?.querySelectorAll("[data-focus]") ?? [])];
  const same = parts.find((node) => node.dataset.focus === active.dataset.focus);
  return (active === child ? now : same) ?? parent.closest("[tabindex]") ?? document.body;
}

let count = 0;

/** Give an id that is used once. */
export const freshId = (name) => `${name}-${(count += 1)}`;

/** Name the hint and the error that belong to a field, for those who hear it. */
export const describedBy = (ids) => [ids.about, ids.error].filter(Boolean).join(" ") || null;
