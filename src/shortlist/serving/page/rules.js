// The rules of the list: how long it is, what was seen, filters, and what is left out by hand.

import { step } from "./comparison.js";
import { button, element, fill } from "./dom.js";
import { makeField } from "./fields.js";
import { makeFilters } from "./filters.js";
import { number } from "./words.js";

const TYPING = 300;
const LONGEST_BY_SLIDER = 50;

/** The rows of the form for the rules; `now()` gives the state that is shown. */
export function makeRules(model, change, now) {
  const k = makeLength(model, (text) => change({ k: text }, { key: "length", words: null }, TYPING));
  const seen = element("input", {
    type: "checkbox", id: "seen",
    onchange: () => change({ keepSeen: !seen.checked }, step("the rules changed"), 0),
  });
  const filters = makeFilters(model, (rows, delay) =>
    change({ filters: rows }, { key: "filters", words: "the filters changed" }, delay));
  const left = element("div", { class: "left-out" });
  const letIn = (id) => change({ exclude: now().exclude.filter((one) => one !== id) }, step("an item came back in"), 0);
  const seenLabel = element("label", { for: "seen" }, "leave out what was seen");
  return {
    rows: [k.row, element("p", { class: "check" }, seen, seenLabel), filters.row, left],
    show(state, labelOf) {
      k.show(state.k, null);
      seen.checked = !state.keepSeen;
      filters.show(state.filters);
      fill(left, ...leftOut(state.exclude, labelOf, letIn));
    },
    mark(problem) {
      const [, key] = problem?.where ?? [];
      k.mark(key === "k" ? problem.message : "");
      const isAboutItems = key === undefined && /item column|condition/i.test(problem?.message ?? "");
      filters.mark(key === "where" || isAboutItems ? problem.message : "");
    },
  };
}

function makeLength(model, change) {
  const most = model.limits.max_k;
  const range = [1, Math.min(LONGEST_BY_SLIDER, most)];
  const hint = `up to ${number(most)}`;
  return makeField({ name: "items in the list", form: "number", range, hint, isPlain: true }, change);
}

function leftOut(ids, labelOf, letIn) {
  if (!ids.length) return [];
  const chips = ids.map((id) => {
    const name = `Let ${labelOf(id)} back in`;
    return button(`${labelOf(id)} ×`, () => letIn(id), { class: "chip", "aria-label": name });
  });
  return [element("p", { class: "quiet" }, "Left out by hand:"), ...chips];
}
