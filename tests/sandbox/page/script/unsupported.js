/** Shows the type of what the page cannot draw, so that a gap is seen. */

import { h } from "./dom.js";

export const unsupported = (type) =>
  h("span", { class: "gap", role: "note", "data-gap": type }, `This page can't draw: ${type}`);
