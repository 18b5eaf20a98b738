// What is asked, as the address's fragment keeps it and as the server takes it.

export const COMPARISONS = {
  number: ["equals", "not_equals", "at_least", "above", "at_most", "below", "missing", "given"],
  time: ["at_least", "above", "at_most", "below", "missing", "given"],
  text: ["equals", "not_equals", "one_of", "missing", "given"],
  truth: ["yes", "no", "missing", "given"],
  list: ["has", "has_not", "missing", "given"],
};
export const WITHOUT_VALUE = ["yes", "no", "missing", "given"];
const EMPTY = {
  query: {}, history: [], exclude: [], filters: [], k: "10", keepSeen: false, why: [], item: null, pin: null,
};

export function typeOf(model, column) {
  const type = model.item_columns[column] ?? "text";
  return type.startsWith("list of ") ? "list" : type;
}

/** The type that a filter compares a column's values with: of a list, that of its entries. */
function comparedType(model, column) {
  return (model.item_columns[column] ?? "text").replace(/^list of /, "");
}

/** The state that a fragment stands for; of an empty one, the first known user. */
export function readState(fragment, model) {
  const told = new URLSearchParams(fragment.replace(/^#/, ""));
  const state = { ...EMPTY, query: {} };
  if ([...told].length === 0) {
    const first = model.query_columns[0]?.values[0];
    return first === undefined ? state : { ...state, query: { [model.query_id]: String(first) } };
  }
  for (const [name, text] of told) if (name.startsWith("q.") && text !== "") state.query[name.slice(2)] = text;
  for (const name of ["history", "exclude", "why"]) state[name] = told.getAll(name);
  state.filters = told.getAll("where").map(readFilter).filter(Boolean);
  state.k = told.get("k") ?? EMPTY.k;
  state.keepSeen = told.get("seen") === "keep";
  state.item = told.get("item");
  state.pin = readJson(told.get("pin"));
  return state;
}

export function writeState(state) {
  const told = new URLSearchParams();
  for (const [column, text] of Object.entries(state.query)) told.append(`q.${column}`, text);
  for (const name of ["history", "exclude", "why"]) for (const id of state[name]) told.append(name, id);
  for (const { column, comparison, text } of state.filters) {
    told.append("where", JSON.stringify([column, comparison, text]));
  }
  told.append("k", state.k);
  if (state.keepSeen) told.append("seen", "keep");
  if (state.item !== null) told.append("item", state.item);
  if (state.pin !== null) told.append("pin", JSON.stringify(state.pin));
  return `#${told}`;
}

/** The body of POST /recommend; whatever is left empty is left out. */
export function bodyOf(state, model) {
  const body = { query: {} };
  for (const [column, text] of Object.entries(state.query)) {
    const form = model.query_columns.find((one) => one.name === column)?.form ?? "text";
    body.query[column] = queryValue(text, form);
  }
  if (state.k.trim() !== "") body.k = numberOr(state.k);
  if (state.history.length) body.history = state.history;
  if (state.keepSeen) body.exclude_seen = false;
  if (state.exclude.length) body.exclude = state.exclude;
  const parts = state.filters.map((filter) => condition(filter, comparedType(model, filter.column))).filter(Boolean);
  if (parts.length) body.where = parts.length === 1 ? parts[0] : { all: parts };
  return body;
}

function queryValue(text, form) {
  if (form === "number") return numberOr(text);
  if (form === "time") return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
  if (form === "list") return parts(text);
  if (form === "vector") return parts(text).map(numberOr);
  return text;
}

/** One row of the filters as a condition; null while its value is missing. */
function condition({ column, comparison, text }, type) {
  const held = valueOf(text, type);
  const is = (comparisons) => ({ column, ...comparisons });
  if (comparison === "missing") return is({ missing: true });
  if (comparison === "given") return is({ missing: false });
  if (comparison === "yes" || comparison === "no") return is({ equals: comparison === "yes" });
  if (text.trim() === "") return null;
  if (comparison === "one_of") return is({ one_of: parts(text) });
  if (comparison === "not_equals") return { not: is({ equals: held }) };
  if (comparison === "has_not") return { not: is({ has: held }) };
  return is({ [comparison]: held });
}

/** The text as a value of the type; what is none stays text, so that the server can say what is wrong with it. */
function valueOf(text, type) {
  if (type === "number") return numberOr(text);
  if (type === "truth") return { true: true, false: false }[text.trim().toLowerCase()] ?? text;
  return text;
}

function parts(text) {
  return text.split(",").map((part) => part.trim()).filter(Boolean);
}

/** A number where the text is one; else the text, so that the server can say what is wrong with it. */
function numberOr(text) {
  const held = Number(text.trim().replace("−", "-"));
  return text.trim() !== "" && Number.isFinite(held) ? held : text;
}

function readFilter(text) {
  const [column, comparison, held] = readJson(text) ?? [];
  const isKnown = Object.values(COMPARISONS).some((words) => words.includes(comparison));
  return typeof column === "string" && isKnown ? { column, comparison, text: String(held ?? "") } : null;
}

function readJson(text) {
  try {
    return text === null ? null : JSON.parse(text);
  } catch {
    return null;
  }
}
