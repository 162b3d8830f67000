/** Block Kit's blocks as nodes, for messages and for modals. */

import { freshId, h, setText } from "./dom.js";
import { control } from "./elements.js";
import { gap } from "./gap.js";
import { words } from "./mrkdwn.js";
import { richText } from "./rich_text.js";

const DRAWN = {
  section,
  actions,
  input,
  context: (block) =>
    h("div", { class: "context" }, block.elements.map((item) => h("span", {}, small(item)))),
  divider: () => h("hr"),
  header: (block) => h("h3", {}, block.text.text),
  rich_text: richText,
};

/**
 * Draw a block. `form` is what its elements act on; a node that shows what is entered has a
 * method `sync`, which brings it up to date.
 */
export function drawBlock(block, form) {
  const node = Object.hasOwn(DRAWN, block.type) ? DRAWN[block.type](block, form) : gap(block.type);
  node.classList.add("block");
  return node;
}

const small = (item) => (Object.hasOwn(item, "text") ? words(item) : gap(item.type));

function section(block, form) {
  const used = block.accessory && control(block, block.accessory, form, {});
  const fields = (block.fields ?? []).map((field) => h("div", {}, words(field)));
  const node = h(
    "div",
    { class: "section" },
    h("div", { class: "words" }, block.text && h("div", {}, words(block.text)), fields),
    used,
  );
  node.sync = () => used?.sync?.();
  return node;
}

function actions(block, form) {
  const used = block.elements.map((element) => control(block, element, form, {}));
  const node = h("div", { class: "actions" }, used);
  node.sync = () => used.forEach((one) => one.sync?.());
  return node;
}

/** A question: a label, something to answer it with, a hint, and what is wrong with the answer. */
function input(block, form) {
  const ids = { label: freshId("label"), about: freshId("hint"), error: freshId("error") };
  const used = control(block, block.element, form, ids);
  const label = h("label", { id: ids.label, for: used.fieldId }, block.label.text);
  if (block.optional) label.append(h("span", { class: "optional" }, " (optional)"));
  const error = h("p", { id: ids.error, class: "error", role: "alert" });
  const hint = h("p", { id: ids.about, class: "hint" }, block.hint?.text);
  const node = h("div", { class: "input" }, label, used, hint, error);
  node.sync = () => {
    used.sync?.();
    const wrong = form.error(block);
    setText(error, wrong);
    node.classList.toggle("wrong", Boolean(wrong));
    node.querySelectorAll("[aria-describedby]").forEach((field) =>
      field.setAttribute("aria-invalid", Boolean(wrong)),
    );
  };
  return node;
}
