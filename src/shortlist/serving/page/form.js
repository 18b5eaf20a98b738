// The form: who asks, what is given of them, and the rules of the list.

import { step } from "./comparison.js";
import { button, element, fill } from "./dom.js";
import { makeField } from "./fields.js";
import { makeRules } from "./rules.js";

const TYPING = 300;
const WHAT_IF = "What the list would be if this were so.";
const WHO_ASKS = { key: "who asks", words: null };

/**
 * Builds the form in its place. `change(changes, cause, delay)` is called with the parts of the state that change.
 * The form's `show` puts a state in, `mark` a problem at the field that it is about.
 */
export function makeForm(place, model, change) {
  let state = null;
  const id = model.query_id;
  const give = (column, text, cause) => {
    const { [column]: _, ...rest } = state.query;
    change({ query: text === "" ? rest : { ...rest, [column]: text } }, cause, TYPING);
  };
  const fields = fieldsOf(model, give);
  const features = [...fields.keys()].filter((name) => name !== id);
  const rules = makeRules(model, change, () => state);
  const reset = button("Reset to what is known", () => {
    const query = id in state.query ? { [id]: state.query[id] } : {};
    change({ query, history: [] }, step("the reset"), 0);
  }, { class: "plain" });
  const another = () => give(id, next(model, state.query[id]), WHO_ASKS);
  fill(
    place,
    group("Query", withButton(fields.get(id).row, "Another", another, "Another known user")),
    features.length ? group("What if", ...whatIf(features.map((name) => fields.get(name).row)), reset) : null,
    group("Rules", ...rules.rows),
  );
  place.addEventListener("submit", (event) => event.preventDefault());
  return {
    show(shown, facts, labelOf) {
      state = shown;
      for (const [name, field] of fields) field.show(state.query[name] ?? "", facts?.columns?.[name]);
      reset.disabled = features.every((name) => !(name in state.query)) && state.history.length === 0;
      rules.show(state, labelOf);
    },
    mark(problem) {
      const wrong = problem === null ? null : columnOf(problem, fields);
      for (const [name, field] of fields) field.mark(name === wrong ? problem.message : "");
      rules.mark(wrong === null ? problem : null);
    },
  };
}

/** A field for each column of a query, by its name. */
function fieldsOf(model, give) {
  return new Map(model.query_columns.map((column) => {
    const isPlain = column.name === model.query_id;
    const cause = isPlain ? WHO_ASKS : { key: column.name, words: `${column.name} changed` };
    return [column.name, makeField({ ...column, isPlain }, (text) => give(column.name, text, cause))];
  }));
}

function whatIf(rows) {
  return [element("p", { class: "quiet" }, WHAT_IF), ...rows];
}

function withButton(row, text, does, name) {
  row.querySelector("input").after(button(text, does, { class: "plain", "aria-label": name }));
  row.classList.add("with-button");
  return row;
}

function group(title, ...children) {
  const isWide = window.matchMedia("(min-width: 800px)").matches;
  const head = element("summary", {}, element("h2", {}, title));
  return element("details", { open: isWide || title === "Query" }, head, ...children);
}

/** The known user after this one. */
function next(model, id) {
  const known = model.query_columns.find((column) => column.name === model.query_id).values.map(String);
  return known.length ? known[(known.indexOf(id) + 1) % known.length] : "";
}

/** The query's column that a problem is about: the place says it, or the sentence names it. */
function columnOf({ where, message }, fields) {
  const [part, key, column] = where ?? [];
  if (part === "body" && key === "query" && fields.has(column)) return column;
  if (part !== "body" || key !== undefined) return null;
  const [, named] = /^The query's '([^']+)'/.exec(message) ?? [];
  return fields.has(named) ? named : null;
}
