/**
 * Block Kit's interactive elements, each as a node with a method `sync` that shows what is
 * entered. What is entered is kept by the stand-in: the page tells it, and shows what it says.
 */

import { confirmed } from "./confirm.js";
import { describedBy, freshId, h } from "./dom.js";
import { gap } from "./gap.js";
import { searchMenu } from "./menus.js";
import { words } from "./mrkdwn.js";

const DRAWN = {
  button,
  plain_text_input: textInput,
  radio_buttons: choices,
  checkboxes: choices,
  static_select: select,
  multi_static_select: searchMenu,
  external_select: searchMenu,
  multi_external_select: searchMenu,
};

/** Tell what was chosen, by value. */
const valuesOf = (entry) =>
  (entry?.selected_options ?? [entry?.selected_option]).filter(Boolean).map(({ value }) => value);

/** Draw an element; `ids` are those of the label, hint and error beside it, if there are any. */
export function control(block, element, form, ids) {
  // A message has buttons only: nothing here could fill in the rest.
  const isDrawn = Object.hasOwn(DRAWN, element.type) && (form.entry || element.type === "button");
  return isDrawn ? DRAWN[element.type](block, element, form, ids) : gap(element.type);
}

// By the action alone: an update of a message gives its blocks other ids.
const focusName = (element) => element.action_id;

function button(block, element, form) {
  const press = async () => {
    if (!element.confirm || (await confirmed(element.confirm))) form.press(block, element);
  };
  return h(
    "button",
    {
      type: "button",
      class: element.style ?? "",
      "data-focus": focusName(element),
      onclick: press,
    },
    element.text.text,
  );
}

function textInput(block, element, form, ids) {
  const field = h(element.multiline ? "textarea" : "input", {
    id: freshId("field"),
    type: element.multiline ? null : "text",
    rows: element.multiline ? 3 : null,
    maxlength: element.max_length ?? 3000,
    placeholder: element.placeholder?.text,
    autocomplete: "off",
    "aria-describedby": describedBy(ids),
    "data-focus": focusName(element),
    oninput: () => form.write(block, element, field.value),
  });
  const node = h("div", {}, field);
  node.fieldId = field.id;
  node.sync = () => {
    const value = form.entry(block, element)?.value ?? "";
    if (field.value !== value) field.value = value;
  };
  return node;
}

/** Radio buttons and checkboxes. */
function choices(block, element, form, ids) {
  const isMany = element.type === "checkboxes";
  const name = freshId("choice");
  const boxes = element.options.map((option) =>
    h("input", {
      type: isMany ? "checkbox" : "radio",
      name,
      value: option.value,
      "data-focus": `${focusName(element)} ${option.value}`,
      onchange: () => form.choose(block, element, element.options.filter((_, at) => boxes[at].checked)),
    }),
  );
  const lines = element.options.map((option, at) =>
    h(
      "label",
      { class: "choice" },
      boxes[at],
      h("span", {}, words(option.text)),
      option.description && h("span", { class: "about" }, words(option.description)),
    ),
  );
  const role = isMany ? "group" : "radiogroup";
  const about = { "aria-labelledby": ids.label, "aria-describedby": describedBy(ids) };
  const node = h("div", { role, ...about }, lines);
  node.sync = () => {
    const values = valuesOf(form.entry(block, element));
    boxes.forEach((box) => (box.checked = values.includes(box.value)));
  };
  return node;
}

function select(block, element, form, ids) {
  const groups = element.option_groups ?? [{ options: element.options }];
  const all = groups.flatMap((group) => group.options);
  const entries = (options) =>
    options.map((option) => h("option", { value: option.value }, option.text.text));
  const field = h(
    "select",
    {
      id: freshId("field"),
      "aria-describedby": describedBy(ids),
      "data-focus": focusName(element),
      onchange: () => form.choose(block, element, all.filter(({ value }) => value === field.value)),
    },
    h("option", { value: "", disabled: !block.optional }, element.placeholder?.text ?? "Choose"),
    groups.flatMap((group) =>
      group.label
        ? [h("optgroup", { label: group.label.text }, entries(group.options))]
        : entries(group.options),
    ),
  );
  const node = h("div", {}, field);
  node.fieldId = field.id;
  node.sync = () => (field.value = valuesOf(form.entry(block, element))[0] ?? "");
  return node;
}
