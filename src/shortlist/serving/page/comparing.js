// The line that says what the list is compared with, and the buttons that keep a list or let it go.

import { button, element, fill, say } from "./dom.js";
import { described } from "./told.js";
import { capital } from "./words.js";

const NOTHING_YET = "Change something: what moves is marked.";

/** Shows the line and its buttons in their places; `on` has `keep()` and `drop()`. */
export function makeComparing({ moved: line, keeping }, model, on) {
  return {
    show(reference, moved) {
      const text = moved === null ? [NOTHING_YET] : said(reference, moved, model);
      say(line, ...text);
      fill(
        keeping,
        reference.isKept ? button("Stop comparing", on.drop, { class: "plain", "data-focus": "drop" }) : null,
        button(reference.isKept ? "Keep this one instead" : "Keep as comparison", on.keep, {
          class: "plain", "data-focus": "keep",
        }),
      );
    },
  };
}

function said(reference, moved, model) {
  const name = reference.isKept ? `the kept list (${described(reference.list.body, model)})` : reference.list.words;
  const parts = [
    [moved.up, "up"], [moved.down, "down"], [moved.fresh, "new"], [moved.fallen.length, "out"],
  ].filter(([times]) => times > 0).map(([times, what]) => `${times} ${what}`);
  const what = parts.length ? parts.join(", ") : "nothing moved";
  return [element("strong", {}, capital(what)), ` against ${name}.`];
}
