/** What the two comboboxes share: the list of commands, and the menus of a form. */

import { h } from "./dom.js";

/** Draw an option. The click on it must not take the focus from the field. */
export function listboxOption({ id, isActive, isSelected, onclick }, ...children) {
  return h(
    "div",
    {
      id,
      role: "option",
      class: isActive ? "active" : "",
      "aria-selected": String(isSelected),
      onmousedown: (event) => event.preventDefault(),
      onclick,
    },
    children,
  );
}

/** Tell a screen reader whether the list of a field is open, and which option is active. */
export function setActiveOption(field, isOpen, option) {
  field.setAttribute("aria-expanded", String(isOpen));
  if (option) field.setAttribute("aria-activedescendant", option.id);
  else field.removeAttribute("aria-activedescendant");
}

/** Return 1 for the arrow down, -1 for the arrow up, and undefined for other keys. */
export const arrowStep = (event) => ({ ArrowDown: 1, ArrowUp: -1 })[event.key];
