// One field of the form for each form that a query's column may have.

import { element } from "./dom.js";
import { day, value } from "./words.js";

const OTHER = " other";
// Times below are counted in steps of the data's own, and not from 1970.
const FIRST_DATE = 1e8;
let made = 0;

/**
 * A column's field; one that is `isPlain` is not marked as given. `change(text)` is called with what was typed; an
 * empty text gives nothing to the query. The field's `show(text, known)` puts a value in, beside what the bundle knows
 * of the user; `mark(sentence)` says what is wrong with it, and nothing with an empty one.
 */
export function makeField(column, change) {
  const id = `field-${++made}`;
  const control = (MAKERS[column.form] ?? makeText)(column, id, change);
  const hint = element("span", { class: "hint", id: `${id}-hint` });
  const wrong = element("p", { class: "wrong", id: `${id}-wrong`, hidden: true });
  const row = element(
    "div", { class: "field" },
    element("div", { class: "head" }, element("label", { for: id }, column.name), hint),
    ...control.parts,
    wrong,
  );
  control.main.setAttribute("aria-describedby", `${id}-hint ${id}-wrong`);
  return {
    row,
    show(text, known) {
      const isKnown = known !== undefined && known !== null;
      control.show(text, isKnown ? plain(known) : "");
      const isGiven = text !== "" && !column.isPlain;
      row.classList.toggle("given", isGiven);
      hint.textContent = isGiven && isKnown ? `known: ${value(known)}` : (column.hint ?? control.hint);
    },
    mark(sentence) {
      row.classList.toggle("is-wrong", sentence !== "");
      control.main.toggleAttribute("aria-invalid", sentence !== "");
      wrong.textContent = sentence;
      wrong.hidden = sentence === "";
    },
  };
}

function plain(known) {
  return Array.isArray(known) ? known.join(", ") : String(known);
}

function put(input, text) {
  if (input.value !== text) input.value = text;
}

function makeText(column, id, change) {
  const input = element("input", { id, type: "text", oninput: () => change(input.value) });
  const commas = column.form === "list" || column.form === "vector" ? "separated by commas" : "";
  return {
    main: input,
    parts: [input],
    hint: commas,
    show(text, known) {
      put(input, text);
      input.placeholder = known || "not given";
    },
  };
}

function makeId(column, id, change) {
  const options = column.values.map((known) => element("option", { value: known }));
  const list = element("datalist", { id: `${id}-list` }, ...options);
  const input = element("input", {
    id, type: "text", list: list.id, placeholder: "nobody in particular", oninput: () => change(input.value),
  });
  return { main: input, parts: [input, list], hint: "who asks", show: (text) => put(input, text) };
}

function makeNumber(column, id, change) {
  const input = element("input", { id, type: "text", inputmode: "decimal", oninput: () => change(input.value) });
  if (column.range === null) {
    return { main: input, parts: [input], hint: "a number", show: (text, known) => showNumber(input, text, known) };
  }
  const [low, high] = column.range;
  const slider = element("input", {
    type: "range", min: low, max: high, step: stepOf(low, high), "aria-label": `${column.name}, slider`,
    oninput: () => change(slider.value),
  });
  return {
    main: input,
    parts: [element("div", { class: "with-slider" }, slider, input)],
    hint: `mostly ${value(low)} to ${value(high)}`,
    show(text, known) {
      showNumber(input, text, known);
      const at = Number(text || known);
      put(slider, String((text || known) !== "" && Number.isFinite(at) ? at : (low + high) / 2));
      slider.classList.toggle("unset", text === "");
    },
  };
}

function showNumber(input, text, known) {
  put(input, text);
  input.placeholder = known || "–";
}

function stepOf(low, high) {
  const isWhole = Number.isInteger(low) && Number.isInteger(high) && high - low >= 10;
  return isWhole ? 1 : "any";
}

function makeTime(column, id, change) {
  if (column.range !== null && column.range[1] < FIRST_DATE) return makeNumber(column, id, change);
  const input = element("input", { id, type: "datetime-local", oninput: () => change(input.value) });
  const training = column.range === null ? "" : `, training ${day(column.range[0])} to ${day(column.range[1])}`;
  return { main: input, parts: [input], hint: `UTC${training}`, show: (text) => put(input, asLocal(text)) };
}

/** A time as the browser's field takes it, in UTC: numbers count seconds. */
function asLocal(text) {
  const isNumber = /^\d+(\.\d+)?$/.test(text);
  if (!isNumber && !/(Z|[+-]\d\d:\d\d)$/.test(text)) return text.replace(" ", "T");
  const time = new Date(isNumber ? Number(text) * 1_000 : text);
  return Number.isNaN(time.getTime()) ? "" : time.toISOString().slice(0, 19);
}

function makeCategory(column, id, change) {
  if (column.values.length === 0) return makeText(column, id, change);
  const values = column.values.map(String);
  const none = element("option", { value: "" });
  const select = element(
    "select", { id },
    none,
    ...values.map((one) => element("option", { value: one }, one)),
    element("option", { value: OTHER }, "other …"),
  );
  const other = element("input", {
    type: "text", hidden: true, placeholder: "another value", "aria-label": `${column.name}, another value`,
    oninput: () => change(other.value),
  });
  select.addEventListener("change", () => {
    other.hidden = select.value !== OTHER;
    if (!other.hidden) other.focus();
    change(select.value === OTHER ? other.value : select.value);
  });
  return {
    main: select,
    parts: [select, other],
    hint: "",
    show(text, known) {
      none.textContent = known ? `${known} (known)` : "not given";
      const isOther = text === "" ? select.value === OTHER && document.activeElement === other : !values.includes(text);
      put(select, isOther ? OTHER : text);
      other.hidden = !isOther;
      if (isOther) put(other, text);
    },
  };
}

const MAKERS = { id: makeId, number: makeNumber, time: makeTime, category: makeCategory };
