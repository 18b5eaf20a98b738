// The filters: rows of a column, a comparison and a value, which must all hold.

import { get } from "./api.js";
import { button, element, fill } from "./dom.js";
import { COMPARISONS, typeOf, WITHOUT_VALUE } from "./state.js";

const TYPING = 400;
const SUGGESTED = 200;
const WORDS = {
  equals: "is", not_equals: "is not", at_least: "at least", above: "above", at_most: "at most", below: "below",
  one_of: "is one of", has: "has", has_not: "has not", missing: "is missing", given: "is there",
  yes: "is true", no: "is false",
};
const HINTS = { time: "2026-01-31", number: "a number", one_of: "a, b, c" };

/** The builder; `change(rows, delay)` is called with all rows once one of them changed. */
export function makeFilters(model, change) {
  const columns = Object.keys(model.item_columns);
  const list = element("div", { class: "filters" });
  const wrong = element("p", { class: "wrong", id: "filters-wrong", hidden: true });
  const values = element("div", { hidden: true });
  let rows = [];
  const put = (place, changes, delay) => {
    rows = rows.map((row, at) => (at === place ? { ...row, ...changes } : row));
    change(rows, delay);
  };
  const draw = () => fill(list, ...rows.map((row, place) => drawRow(model, row, place, {
    type: (text) => put(place, { text }, TYPING),
    choose: (changes) => {
      put(place, changes, 0);
      draw();
    },
    drop: () => {
      rows = rows.filter((_, at) => at !== place);
      change(rows, 0);
      draw();
      add.focus();
    },
  })));
  const add = button("Add a filter", () => {
    suggest(values, columns);
    rows = [...rows, { column: columns.at(-1), comparison: null, text: "" }].map((row) => fitted(row, model));
    change(rows, 0);
    draw();
    list.lastElementChild.querySelector("select").focus();
  }, { class: "plain" });
  return {
    row: element("fieldset", { class: "filter-box" }, element("legend", {}, "Only items where"), list, wrong,
      columns.length ? add : element("p", { class: "quiet" }, "The items came without a table."), values),
    show(shown) {
      if (JSON.stringify(shown) === JSON.stringify(rows)) return;
      if (shown.length) suggest(values, columns);
      rows = shown.map((row) => ({ ...row }));
      draw();
    },
    mark(sentence) {
      wrong.textContent = sentence;
      wrong.hidden = sentence === "";
      list.classList.toggle("is-wrong", sentence !== "");
    },
  };
}

function drawRow(model, row, place, { type: typed, choose, drop }) {
  const type = typeOf(model, row.column);
  const at = `filter ${place + 1}`;
  const names = Object.keys(model.item_columns);
  const offered = names.includes(row.column) ? names : [...names, row.column];
  const column = choice(`Column of ${at}`, offered, row.column, (name) =>
    choose(fitted({ column: name, comparison: row.comparison, text: "" }, model)));
  const comparison = choice(`Comparison of ${at}`, COMPARISONS[type], row.comparison, (word) =>
    choose({ comparison: word }));
  const input = element("input", {
    type: "text", value: row.text, "aria-label": `Value of ${at}`,
    placeholder: HINTS[row.comparison] ?? HINTS[type] ?? "a value",
    inputmode: type === "number" ? "decimal" : null, list: `values-of-${names.indexOf(row.column)}`,
    oninput: () => typed(input.value),
  });
  const box = element("div", { class: "filter", role: "group", "aria-label": at }, column, comparison);
  if (!WITHOUT_VALUE.includes(row.comparison)) box.append(input);
  box.append(button("×", drop, { class: "plain drop", "aria-label": `Take ${at} away` }));
  return box;
}

function choice(name, words, chosen, change) {
  const made = element("select", { "aria-label": name, "data-focus": name }, ...words.map((word) =>
    element("option", { value: word, selected: word === chosen }, WORDS[word] ?? word)));
  made.addEventListener("change", () => change(made.value));
  return made;
}

/** The row with a comparison that suits its column. */
function fitted(row, model) {
  const suited = COMPARISONS[typeOf(model, row.column)];
  return { ...row, comparison: suited.includes(row.comparison) ? row.comparison : suited[0] };
}

/** Values that stand in the most popular items, for the fields to suggest. */
async function suggest(place, columns) {
  if (place.childElementCount) return;
  place.append(element("datalist"));
  const { items } = await get(`items?limit=${SUGGESTED}`).catch(() => ({ items: [] }));
  place.replaceChildren(...columns.map((column, at) => {
    const held = new Set(items.flatMap((card) => card.columns[column] ?? []).map(String));
    const options = [...held].sort().slice(0, SUGGESTED).map((one) => element("option", { value: one }));
    return element("datalist", { id: `values-of-${at}` }, ...options);
  }));
}
