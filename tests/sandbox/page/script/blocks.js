/** Block Kit's blocks as nodes, for messages and for modals. */

import { freshId, h, setText } from "./dom.js";
import { drawElement } from "./elements.js";
import { textNodes } from "./mrkdwn.js";
import { richText } from "./rich_text.js";
import { unsupported } from "./unsupported.js";

const BLOCKS = {
  section,
  actions,
  input,
  context: (block) =>
    h("div", { class: "context" }, block.elements.map((item) => h("span", {}, contextItem(item)))),
  divider: () => h("hr"),
  header: (block) => h("h3", {}, block.text.text),
  rich_text: richText,
};

/**
 * Draw a block. Its elements read from `form` and act on it. If a node shows what is entered, its
 * method `sync` updates it.
 */
export function drawBlock(block, form) {
  const isKnown = Object.hasOwn(BLOCKS, block.type);
  const node = isKnown ? BLOCKS[block.type](block, form) : unsupported(block.type);
  node.classList.add("block");
  return node;
}

const contextItem = (item) =>
  Object.hasOwn(item, "text") ? textNodes(item) : unsupported(item.type);

function section(block, form) {
  const accessory = block.accessory && drawElement(block, block.accessory, form, {});
  const fields = (block.fields ?? []).map((field) => h("div", {}, textNodes(field)));
  const text = block.text && h("div", {}, textNodes(block.text));
  const node = h("div", { class: "section" }, h("div", { class: "words" }, text, fields), accessory);
  node.sync = () => accessory?.sync?.();
  return node;
}

function actions(block, form) {
  const elements = block.elements.map((element) => drawElement(block, element, form, {}));
  const node = h("div", { class: "actions" }, elements);
  node.sync = () => elements.forEach((element) => element.sync?.());
  return node;
}

/** A field of a form: a label, an element, a hint, and the error. */
function input(block, form) {
  const ids = { label: freshId("label"), hint: freshId("hint"), error: freshId("error") };
  const element = drawElement(block, block.element, form, ids);
  const label = h("label", { id: ids.label, for: element.fieldId }, block.label.text);
  if (block.optional) label.append(h("span", { class: "optional" }, " (optional)"));
  const error = h("p", { id: ids.error, class: "error", role: "alert" });
  const hint = h("p", { id: ids.hint, class: "hint" }, block.hint?.text);
  const node = h("div", { class: "input" }, label, element, hint, error);
  node.sync = () => {
    element.sync?.();
    const text = form.error(block);
    setText(error, text);
    node.classList.toggle("wrong", Boolean(text));
    node.querySelectorAll("[aria-describedby]").forEach((field) =>
      field.setAttribute("aria-invalid", Boolean(text)),
    );
  };
  return node;
}
