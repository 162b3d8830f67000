/**
 * Block Kit's interactive elements as nodes. A node's method `sync` shows what is entered. The
 * stand-in stores what is entered: the page sends it there and shows what comes back.
 */

import { confirm } from "./confirm.js";
import { describedBy, freshId, h } from "./dom.js";
import { drawMenu } from "./menu.js";
import { textNodes } from "./mrkdwn.js";
import { unsupported } from "./unsupported.js";

const ELEMENTS = {
  button,
  plain_text_input: textInput,
  radio_buttons: choices,
  checkboxes: choices,
  static_select: select,
  multi_static_select: drawMenu,
  external_select: drawMenu,
  multi_external_select: drawMenu,
};

/** Draw an element. `ids` are those of the label, hint and error beside it, if there are any. */
export function drawElement(block, element, form, ids) {
  // The form of a message has no entries: only its buttons can be used.
  const isUsable = form.selected || element.type === "button";
  return isUsable && Object.hasOwn(ELEMENTS, element.type)
    ? ELEMENTS[element.type](block, element, form, ids)
    : unsupported(element.type);
}

function button(block, element, form) {
  const press = async () => {
    if (!element.confirm || (await confirm(element.confirm))) form.press(block, element);
  };
  return h(
    "button",
    {
      type: "button",
      class: element.style ?? "",
      // Without the block's id, which may change when a message is updated.
      "data-focus": element.action_id,
      onclick: press,
    },
    element.text.text,
  );
}

/** Return a node around a field, which the label of the block points to. */
function fieldNode(field, sync) {
  const node = h("div", {}, field);
  node.fieldId = field.id;
  node.sync = sync;
  return node;
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
    "data-focus": element.action_id,
    oninput: () => form.write(block, element, field.value),
  });
  return fieldNode(field, () => {
    const text = form.text(block, element);
    if (field.value !== text) field.value = text;
  });
}

/** Radio buttons and checkboxes. */
function choices(block, element, form, ids) {
  const isMulti = element.type === "checkboxes";
  const name = freshId("choice");
  const choose = () =>
    form.choose(block, element, element.options.filter((_, at) => boxes[at].checked));
  const boxes = element.options.map((option) =>
    h("input", {
      type: isMulti ? "checkbox" : "radio",
      name,
      value: option.value,
      "data-focus": `${element.action_id} ${option.value}`,
      onchange: choose,
    }),
  );
  const lines = element.options.map((option, at) => choiceLine(option, boxes[at]));
  const role = isMulti ? "group" : "radiogroup";
  const about = { "aria-labelledby": ids.label, "aria-describedby": describedBy(ids) };
  const node = h("div", { role, ...about }, lines);
  node.sync = () => {
    const values = form.selected(block, element).map(({ value }) => value);
    boxes.forEach((box) => (box.checked = values.includes(box.value)));
  };
  return node;
}

function choiceLine(option, box) {
  const about = option.description;
  return h(
    "label",
    { class: "choice" },
    box,
    h("span", {}, textNodes(option.text)),
    about && h("span", { class: "about" }, textNodes(about)),
  );
}

function select(block, element, form, ids) {
  const groups = element.option_groups ?? [{ options: element.options }];
  const all = groups.flatMap((group) => group.options);
  const field = h(
    "select",
    {
      id: freshId("field"),
      "aria-describedby": describedBy(ids),
      "data-focus": element.action_id,
      onchange: () => form.choose(block, element, all.filter(({ value }) => value === field.value)),
    },
    h("option", { value: "", disabled: !block.optional }, element.placeholder?.text ?? "Choose"),
    groups.flatMap(selectGroup),
  );
  return fieldNode(field, () => (field.value = form.selected(block, element)[0]?.value ?? ""));
}

function selectGroup({ label, options }) {
  const nodes = options.map((option) => h("option", { value: option.value }, option.text.text));
  return label ? [h("optgroup", { label: label.text }, nodes)] : nodes;
}
