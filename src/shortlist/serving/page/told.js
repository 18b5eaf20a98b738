// How an answer came about, in words.

import { element, fill, say } from "./dom.js";
import { count, joined, number, value } from "./words.js";

const RULES = {
  seen: "touched before", exclude: "left out by hand", allow: "not among the allowed", where: "outside the filters",
  retired: "retired",
};

const UNLEARNED = "the model learned from no event of theirs";
const POPULAR = "Nothing more is known, so these are the most popular items. Give features or a history for a " +
  "list of its own.";
const OTHER_MODEL = "another model answers than when this page was opened; load it anew";

/** Says who was asked, what the list rests on, what was filled in, what was left out, and what made it. */
export function showTold(parts, { answer, body, facts, model }) {
  const [who, rest] = sentences(answer, body, model);
  say(parts.says, element("strong", {}, who), ` ${rest}`);
  fill(parts.facts, ...rows(answer, body, facts, model).flatMap(([name, text, kind]) => [
    element("dt", {}, name), element("dd", { class: kind }, text),
  ]));
  parts.request.textContent = requestText(body);
}

export function requestText(body) {
  return `POST /recommend\n${JSON.stringify(body, null, 1)}`;
}

export function rulesInWords(filters) {
  return filters.map((rule) => RULES[rule] ?? rule);
}

/** A query in a few words, for the name of a kept list. */
export function described(body, model) {
  const { [model.query_id]: id, ...given } = body.query ?? {};
  const parts = [id === undefined ? "nobody in particular" : `user ${id}`, ...values(given)];
  if (body.history?.length) parts.push(`${count(body.history.length, "item")} added`);
  if (body.where) parts.push("filtered");
  return parts.join(", ");
}

function sentences(answer, body, model) {
  const { [model.query_id]: id, ...given } = body.query;
  const added = body.history?.length ? [`${count(body.history.length, "item")} added to the history`] : [];
  const told = joined([...values(given), ...added]);
  const isNobody = id === undefined;
  const stranger = isNobody ? "Nobody in particular asks." : `User ${id} is a stranger: ${UNLEARNED}.`;
  switch (answer.query) {
    case "known": {
      const who = isNobody ? "The model knows enough of who asks." : `User ${id} is known to the model.`;
      return [who, told ? `The list is made for them, as if this held: ${told}.` : "The list is made for them alone."];
    }
    case "features_only":
      return [stranger, `The list rests on ${told ? `what is given: ${told}` : "what the bundle knows of them"}.`];
    case "history":
      return [stranger, `The list rests on ${count(body.history.length, "item")} of a history, and on nothing else.`];
    default:
      return [stranger, POPULAR];
  }
}

function rows(answer, body, facts, model) {
  const told = [];
  const known = answer.filled.filter((column) => (facts?.columns?.[column] ?? null) !== null);
  const rest = answer.filled.filter((column) => !known.includes(column));
  const held = values(Object.fromEntries(known.map((column) => [column, facts.columns[column]])));
  if (known.length) told.push(["From the bundle", held.join(", ")]);
  if (rest.length) told.push([facts === null ? "Filled in" : "Not given", rest.join(", ")]);
  if (answer.unknown.length) {
    const unseen = answer.unknown.map((column) => `${column} ${value(body.query[column] ?? "")}`);
    told.push(["Never seen", `${joined(unseen)}: training had no such value`, "warn"]);
  }
  if (answer.excluded) {
    const rules = joined(rulesInWords(answer.filters));
    told.push(["Left out", `${number(answer.excluded)} of ${count(model.counts.items, "item")}: ${rules}`]);
  }
  const { model: version, index, index_version: indexVersion, exact } = answer.source;
  const search = exact ? "what an exact search gives" : "a few items may differ from what an exact search gives";
  told.push(["Made by", `model ${version ?? "never saved"}, ${index} index ${indexVersion ?? ""}: ${search}`]);
  if (version !== model.version) told.push(["Changed", OTHER_MODEL, "warn"]);
  return told;
}

function values(given) {
  return Object.entries(given).map(([column, held]) => `${column} ${value(held)}`);
}
