// The shortlist: places, labels, scores, what moved, and reasons where they are wanted.

import { bar, button, element, figure, fill, itemButton, unseen } from "./dom.js";
import { makeReasons } from "./reasons.js";
import { count, fixed, number } from "./words.js";

const MOVE_MILLISECONDS = 250;
const MARKS = {
  up: ({ by }) => [`▲ ${by}`, `moved up ${count(by, "place")}`],
  down: ({ by }) => [`▼ ${by}`, `moved down ${count(by, "place")}`],
  new: () => ["new", "new in the list"],
  same: () => ["=", "as before"],
  beyond: () => ["", ""],
};

/** Draws the rows; `moved` is what `compare` gives, or null; `on` has `open(id)` and `toggle(id)` for the reasons. */
export function showItems(parts, answer, { moved, why, on }) {
  const before = tops(parts.items);
  const isCount = answer.query === "fallback";
  const scale = scaleOf(answer.items);
  fill(parts.columns, ...(answer.items.length ? heads(isCount, moved !== null) : []));
  fill(parts.items, ...answer.items.map((item, at) => {
    const isOpen = why.includes(String(item.id));
    return element(
      "li", { class: moved ? "row compared" : "row", "data-id": item.id },
      element("span", { class: "place" }, String(at + 1)),
      itemButton(item, on.open, "item"),
      moved ? mark(moved.marks[at]) : null,
      element("span", { class: "score" }, bar(scale(item.score)), score(item, isCount)),
      whyButton(item, isOpen, on.toggle),
      isOpen ? makeReasons(item, answer, on.open) : null,
    );
  }));
  slide(parts.items, before);
  showFallen(parts.fallen, moved, on);
}

function heads(isCount, isCompared) {
  const names = ["", "Item", isCompared ? "Moved" : null, isCount ? "Training events" : "Score", ""];
  return names.filter((name) => name !== null).map((name) => element("span", {}, name));
}

function mark(move) {
  const [sign, said] = MARKS[move.kind](move);
  const seen = element("span", { "aria-hidden": "true" }, sign);
  return element("span", { class: `mark ${move.kind}` }, seen, unseen(said));
}

function score(item, isCount) {
  return figure(unseen(isCount ? "events " : "score "), isCount ? number(item.score) : fixed(item.score));
}

function whyButton(item, isOpen, toggle) {
  return button("Why?", () => toggle(item.id), {
    class: "plain why",
    "data-focus": `why-${item.id}`,
    "aria-expanded": String(isOpen),
    "aria-label": `Why? ${item.label}`,
  });
}

/** Shares of a bar for scores: from 0, or from the lowest where some are below it. */
function scaleOf(items) {
  const scores = items.map((item) => item.score);
  const low = Math.min(0, ...scores), high = Math.max(0, ...scores);
  return (score) => (high > low ? (score - low) / (high - low) : 0);
}

function showFallen(place, moved, on) {
  if (!moved?.fallen.length) return fill(place);
  return fill(
    place,
    element("h3", {}, "Fell out"),
    element("ul", { class: "fallen" }, ...moved.fallen.map(({ item, place: old }) => element(
      "li", {}, itemButton(item, on.open, "item"),
      element("span", { class: "quiet" }, ` was ${old}`),
    ))),
  );
}

function tops(list) {
  return new Map([...list.children].filter((row) => row.dataset.id).map((row) => [row.dataset.id, row.offsetTop]));
}

/** Rows that moved slide from where they stood, unless motion is unwelcome. */
function slide(list, before) {
  if (window.matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  for (const row of list.children) {
    const by = (before.get(row.dataset.id) ?? row.offsetTop) - row.offsetTop;
    const steps = [{ transform: `translateY(${by}px)` }, { transform: "none" }];
    if (by !== 0) row.animate(steps, { duration: MOVE_MILLISECONDS, easing: "ease-out" });
  }
}
