/** What the page can't draw is seen, with its type, instead of missing without a word. */

import { h } from "./dom.js";

export const gap = (type) =>
  h("span", { class: "gap", role: "note", "data-gap": type }, `This page can't draw: ${type}`);
