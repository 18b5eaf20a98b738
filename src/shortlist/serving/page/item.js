// The view of one item: its columns, its neighbours, and what can be done with it.

import { get, latest, post, segment } from "./api.js";
import { bar, button, element, figure, fill, focusOn, itemButton } from "./dom.js";
import { makeProblem } from "./problem.js";
import { count, fixed, telling, value } from "./words.js";

const NEIGHBOURS = 8;

/**
 * The dialog. `on` has `closed()`, `opened(id)`, `add(card)`, `leaveOut(card)`, and `has(id)` and `isOut(id)`, which
 * say whether an item stands in the added history and among those left out.
 */
export function makeItemView(dialog, on) {
  let trail = [], opener = null, shown = null;
  const read = latest(readItem, {
    answered: (found) => {
      shown = found;
      draw();
    },
    failed: (problem, id) => fill(dialog, head(String(id)), makeProblem(problem, () => read(0, id))),
  });

  function open(id) {
    if (!dialog.open) {
      trail = [];
      opener = document.activeElement?.dataset.focus;
      fill(dialog, head("…"), element("div", { class: "waiting" }));
      dialog.showModal();
    }
    trail.push(id);
    on.opened(id);
    read(0, id);
  }

  function back() {
    trail.pop();
    on.opened(trail.at(-1));
    read(0, trail.at(-1));
  }

  function head(title) {
    return element(
      "div", { class: "dialog-head" },
      trail.length > 1 ? button("← Back", back, { class: "plain", "data-focus": "back" }) : null,
      element("h2", { id: "item-title", tabindex: "-1" }, title),
      button("×", () => dialog.close(), { class: "plain drop", "aria-label": "Close", "data-focus": "close" }),
    );
  }

  function draw() {
    const { card, neighbours } = shown;
    const act = (doing) => () => {
      doing(card);
      draw();
    };
    fill(
      dialog,
      head(card.label || String(card.id)),
      facts(card),
      element("p", { class: "actions" },
        button(on.has(card.id) ? "Take off the history" : "Add to the history", act(on.add), { "data-focus": "add" }),
        button(on.isOut(card.id) ? "Let it back in" : "Leave it out", act(on.leaveOut), { "data-focus": "out" })),
      element("h3", {}, neighbours.length ? "Most like it" : "Nothing is like it"),
      element("ol", { class: "near" }, ...neighbours.map((one) => element(
        "li", {}, itemButton(one, open, "near"), bar(one.score), figure(fixed(one.score, 2)),
      ))),
      element("p", { class: "quiet small" }, "Cosine of their vectors; 1 is the same direction."),
    );
    const { activeElement } = document;
    if (!dialog.contains(activeElement) || activeElement === dialog) dialog.querySelector("h2").focus();
  }

  dialog.addEventListener("close", () => {
    on.closed();
    if (opener !== undefined) focusOn(document, opener);
  });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  return { open, isOpen: () => dialog.open };
}

/** The card of an id, and null where it cannot be read. */
export async function readCard(id, signal) {
  const path = segment(id);
  if (path === null) return { id, label: String(id), popularity: null, retired: false, columns: {} };
  return get(`items/${path}`, signal);
}

async function readItem(signal, id) {
  const [card, { items }] = await Promise.all([
    readCard(id, signal),
    post("similar", { item_id: id, k: NEIGHBOURS }, signal),
  ]);
  return { card, neighbours: items };
}

function facts(card) {
  const touched = card.popularity === null ? [] : [["touched", `${count(card.popularity, "time")} in training`]];
  const told = [["id", String(card.id)], ...touched, ...telling(card).map(([name, held]) => [name, value(held)])];
  if (card.retired) told.push(["retired", "It never comes back in a list.", "warn"]);
  return element("dl", { class: "facts" }, ...told.flatMap(([name, text, kind]) => [
    element("dt", {}, name),
    element("dd", { class: kind }, text),
  ]));
}
