// What is asked now, and what is shown of it: a change goes out as a question, and the latest answer is shown.

import { latest, post } from "./api.js";
import { Reference, step } from "./comparison.js";
import { makeForm } from "./form.js";
import { makeAdding, NOBODY, readUser, showHistory } from "./history.js";
import { makeItemView, readCard } from "./item.js";
import { makeResults } from "./results.js";
import { bodyOf, readState, writeState } from "./state.js";

const DEFAULT_K = 10;
const FEW = window.matchMedia("(min-width: 800px)").matches ? 12 : 4;
const at = (id) => document.getElementById(id);

export class Session {
  #model;
  #state;
  #shown = null;
  #user = NOBODY;
  #limit = FEW;
  #reference = new Reference();
  #cards = new Map();
  #form;
  #view;
  #results;
  #ask;
  #askUser;

  constructor(model) {
    this.#model = model;
    this.#state = readState(location.hash, model);
    const change = (...how) => this.#change(...how);
    const open = (id) => this.#view.open(id);
    this.#form = makeForm(at("query"), model, change);
    this.#view = makeItemView(at("item"), this.#itemActions());
    const toggle = (id) => this.#toggleWhy(id);
    const [keep, drop] = [() => this.#keep(this.#shown), () => this.#keep(null)];
    this.#results = makeResults(model, { open, toggle, keep, drop, change });
    this.#ask = latest((signal) => this.#recommend(signal), {
      answered: (answer) => this.#receive(answer),
      failed: (problem) => this.#fail(problem),
    });
    const took = (user) => {
      this.#user = user;
      this.#show();
    };
    const read = (signal) => readUser(signal, this.#id, this.#limit);
    this.#askUser = latest(read, { answered: took, failed: () => took(NOBODY) });
    this.#listen();
  }

  /** Shows a state from its beginning, such as a link's: the kept list first, then what is asked. */
  async begin(state = this.#state) {
    this.#state = state;
    this.#reference = new Reference();
    this.#remember({});
    this.#showAsked();
    this.#results.busy(true);
    await this.#askKept();
    this.#askUser(0);
    this.#ask(0);
    if (state.item !== null && !this.#view.isOpen()) this.#view.open(state.item);
    const unread = [...state.history, ...state.exclude].filter((id) => !this.#cards.has(id));
    await Promise.all(unread.map((id) => readCard(id).then((card) => this.#cards.set(id, card)).catch(() => null)));
    if (unread.length) this.#show();
  }

  get #id() {
    return this.#state.query[this.#model.query_id];
  }

  #cardOf(id) {
    return this.#cards.get(String(id)) ?? { id, label: String(id), retired: false, columns: {} };
  }

  #listen() {
    at("add").append(makeAdding((card) => this.#state.history.includes(String(card.id)) || this.#touch(card)));
    at("more").addEventListener("click", () => {
      this.#limit = Math.min(this.#limit * 4, this.#model.limits.max_k);
      this.#askUser(0);
    });
    at("skip").addEventListener("click", (event) => {
      event.preventDefault();
      at("answer").focus();
    });
    window.addEventListener("hashchange", () => {
      if (location.hash !== writeState(this.#state)) this.begin(readState(location.hash, this.#model));
    });
  }

  #itemActions() {
    return {
      opened: (id) => this.#remember({ item: String(id) }),
      closed: () => this.#remember({ item: null }),
      has: (id) => this.#state.history.includes(String(id)),
      isOut: (id) => this.#state.exclude.includes(String(id)),
      add: (card) => this.#touch(card),
      leaveOut: (card) => this.#toggleIn("exclude", card, "an item was left out or let in"),
    };
  }

  /** Takes changes to the state and asks anew after a while, which passes while somebody types. */
  #change(changes, cause, delay) {
    const before = { id: this.#id, body: JSON.stringify(bodyOf(this.#state, this.#model)) };
    this.#remember(changes);
    if (JSON.stringify(bodyOf(this.#state, this.#model)) === before.body) return;
    this.#reference.note(cause, this.#shown);
    if (this.#id !== before.id) {
      this.#limit = FEW;
      this.#askUser(delay);
    }
    this.#showAsked();
    this.#results.busy(true);
    this.#ask(delay);
  }

  #remember(changes) {
    this.#state = { ...this.#state, ...changes };
    history.replaceState(null, "", writeState(this.#state));
  }

  #touch(card) {
    this.#toggleIn("history", card, "the history changed");
  }

  #toggleIn(list, card, words) {
    this.#cards.set(String(card.id), card);
    this.#change({ [list]: toggled(this.#state[list], String(card.id)) }, step(words), 0);
  }

  #toggleWhy(id) {
    this.#remember({ why: toggled(this.#state.why, String(id)) });
    this.#show();
    if (this.#shown.items.some((item) => item.why === undefined)) this.#ask(0);
  }

  async #recommend(signal) {
    const body = bodyOf(this.#state, this.#model);
    return { body, answer: await post("recommend", { ...body, explain: this.#state.why.length > 0 }, signal) };
  }

  #receive({ body, answer }) {
    this.#shown = listOf(body, answer);
    this.#form.mark(null);
    this.#results.busy(false);
    this.#show();
  }

  #fail(problem) {
    this.#shown = null;
    this.#results.busy(false);
    this.#form.mark(problem);
    this.#results.fail(problem, bodyOf(this.#state, this.#model), () => this.begin());
  }

  #keep(list) {
    this.#reference.keep(list);
    this.#remember({ pin: list === null ? null : list.body });
    this.#show();
  }

  async #askKept() {
    const { pin } = this.#state;
    const answer = pin === null ? null : await post("recommend", pin).catch(() => null);
    if (answer !== null) this.#reference.keep(listOf(pin, answer));
  }

  #show() {
    this.#showAsked();
    if (this.#shown === null) return;
    this.#results.showTold(this.#shown, this.#user.facts);
    this.#results.showList(this.#shown, { reference: this.#reference, state: this.#state });
  }

  #showAsked() {
    this.#form.show(this.#state, this.#user.facts, (id) => this.#cardOf(id).label);
    showHistory({ says: at("history-says"), touched: at("touched"), more: at("more") }, {
      id: this.#id,
      user: this.#user,
      limit: this.#limit,
      added: this.#state.history.map((id) => this.#cardOf(id)),
      on: { open: this.#view.open, drop: (id) => this.#touch(this.#cardOf(id)) },
    });
  }
}

function listOf(body, answer) {
  return { body, answer, items: answer.items, k: body.k ?? DEFAULT_K };
}

function toggled(ids, id) {
  return ids.includes(id) ? ids.filter((one) => one !== id) : [...ids, id];
}
