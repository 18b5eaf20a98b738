// A search field with suggestions: arrow keys choose, Enter takes, Escape closes.

import { latest } from "./api.js";
import { element, unseen } from "./dom.js";

const TYPING = 150;
const NOTHING = "No item is called so.";

/**
 * `search(signal, text)` gives suggestions, `take(suggestion)` is called with the chosen one, and `draw(suggestion)`
 * gives the content of its row.
 */
export function makeCombobox({ label, placeholder, search, take, draw }) {
  let suggestions = [], active = -1;
  const list = element("ul", { id: "suggestions", role: "listbox", "aria-label": label, hidden: true });
  const says = unseen("");
  says.setAttribute("role", "status");
  const input = element("input", {
    type: "text", role: "combobox", placeholder, "aria-label": label, "aria-expanded": "false",
    "aria-controls": list.id, "aria-autocomplete": "list", autocomplete: "off",
  });
  const ask = latest((signal, text) => search(signal, text), {
    answered: (found, text) => (text === null ? close() : open(found)),
    failed: close,
  });

  function open(found) {
    suggestions = found;
    active = -1;
    list.replaceChildren(...found.map((one, place) => element("li", {
      id: `suggestion-${place}`, role: "option", "aria-selected": "false",
      onmousedown: (event) => event.preventDefault(),
      onclick: () => choose(place),
    }, ...draw(one))));
    const none = { class: "quiet", role: "option", "aria-disabled": "true" };
    if (!found.length) list.append(element("li", none, NOTHING));
    says.textContent = found.length ? `${found.length} suggestions` : NOTHING;
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
  }

  function close() {
    suggestions = [];
    active = -1;
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  }

  function choose(place) {
    const chosen = suggestions[place];
    input.value = "";
    ask(0, null);
    close();
    if (chosen !== undefined) take(chosen);
  }

  function move(by) {
    if (list.hidden) return ask(0, input.value);
    if (!suggestions.length) return undefined;
    active = (active + by + suggestions.length + (active < 0 && by < 0 ? 1 : 0)) % suggestions.length;
    [...list.children].forEach((row, place) => row.setAttribute("aria-selected", String(place === active)));
    list.children[active].scrollIntoView({ block: "nearest" });
    return input.setAttribute("aria-activedescendant", `suggestion-${active}`);
  }

  input.addEventListener("input", () => ask(TYPING, input.value));
  input.addEventListener("blur", () => {
    ask(0, null);
    close();
  });
  input.addEventListener("keydown", (event) => {
    const keys = {
      ArrowDown: () => move(1),
      ArrowUp: () => move(-1),
      Enter: () => !list.hidden && choose(active < 0 ? 0 : active),
      Escape: close,
    };
    if (!(event.key in keys)) return;
    event.preventDefault();
    keys[event.key]();
  });
  return element("div", { class: "combobox" }, input, list, says);
}
