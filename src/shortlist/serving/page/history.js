// What the user touched, and what is added to it by hand.

import { get, segment } from "./api.js";
import { makeCombobox } from "./combobox.js";
import { button, element, fill, itemButton } from "./dom.js";
import { count, telling, value } from "./words.js";

const SUGGESTIONS = 8;
const MOST_COLUMNS = 4;
export const NOBODY = { facts: null, cards: [], isUnreachable: false };

/** The search field that adds an item to the history. */
export function makeAdding(take) {
  return makeCombobox({
    label: "Add an item to the history",
    placeholder: "Add an item by its title …",
    search: async (signal, text) => {
      if (text === null) return [];
      return (await get(`items?${new URLSearchParams({ search: text, limit: SUGGESTIONS })}`, signal)).items;
    },
    take,
    draw: (card) => [element("span", {}, card.label || String(card.id)), small(card)],
  });
}

/** What the bundle keeps of a user: facts (null where the server tells none) and cards of items. */
export async function readUser(signal, id, limit) {
  const path = id === undefined ? null : segment(id);
  if (path === null) return { ...NOBODY, isUnreachable: id !== undefined };
  const [facts, { items }] = await Promise.all([
    get(`users/${path}`, signal).catch((problem) => (problem.status === 404 ? null : Promise.reject(problem))),
    get(`users/${path}/items?limit=${limit}`, signal),
  ]);
  return { facts, cards: items, isUnreachable: false };
}

/** Draws the history: what was added first, then what the bundle keeps, the latest first. */
export function showHistory(parts, { id, user, limit, added, on }) {
  parts.says.textContent = says(id, user, added.length);
  fill(
    parts.touched,
    ...[...added].reverse().map((card) => row(card, on, button("×", () => on.drop(card.id), {
      class: "plain drop", "aria-label": `Take ${card.label} off the history`,
    }))),
    ...user.cards.map((card) => row(card, on, null)),
  );
  parts.more.hidden = user.cards.length < limit;
}

function says(id, user, added) {
  const extra = added ? ` ${count(added, "item")} added here, on top.` : "";
  if (user.isUnreachable) return `An address cannot hold this id, so what the user touched is not shown.${extra}`;
  if (user.cards.length) return `What user ${id} touched, the latest first.${extra}`;
  if (id === undefined) return added ? extra.trim() : "Nobody is asked for. Add items to see what is like them.";
  return added ? extra.trim() : "The bundle keeps nothing that this user touched. Add items to see what changes.";
}

function row(card, on, drop) {
  return element(
    "li", { class: drop ? "row added" : "row" },
    element("div", {},
      itemButton(card, on.open, "touched"),
      drop ? element("span", { class: "tag" }, "added") : null,
      card.retired ? element("span", { class: "tag quiet" }, "retired") : null,
      small(card)),
    drop,
  );
}

function small(card) {
  const told = telling(card).slice(0, MOST_COLUMNS).map(([name, held]) => `${name} ${value(held)}`);
  return element("span", { class: "small quiet block" }, told.join(" · "));
}
