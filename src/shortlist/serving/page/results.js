// The right side: what the answer says, the list, what moved in it, or why there is none.

import { makeComparing } from "./comparing.js";
import { compare, step } from "./comparison.js";
import { element, fill } from "./dom.js";
import { makeEmpty, makeProblem } from "./problem.js";
import { showItems } from "./shortlist.js";
import { requestText, rulesInWords, showTold } from "./told.js";

const at = (id) => document.getElementById(id);

/** Builds the parts; `on` has `open(id)`, `toggle(id)`, `keep()`, `drop()` and `change(changes, cause, delay)`. */
export function makeResults(model, on) {
  const parts = { items: at("items"), columns: at("columns"), fallen: at("fallen") };
  const comparing = makeComparing({ moved: at("moved"), keeping: at("keeping") }, model, on);
  const told = { says: at("says"), facts: at("facts"), request: at("request") };
  return {
    showTold(shown, facts) {
      fill(at("failure"));
      showTold(told, { ...shown, facts, model });
    },
    showList(shown, { reference, state }) {
      const moved = reference.list === null ? null : compare(shown, reference.list);
      comparing.show(reference, moved);
      showItems(parts, shown.answer, { moved, why: state.why, on });
      const empty = () => makeEmpty(rulesInWords(shown.answer.filters), remedies(state, on));
      fill(at("notice"), shown.items.length ? fewer(shown) : empty());
    },
    fail(problem, body, retry) {
      fill(at("failure"), makeProblem(problem, retry));
      for (const place of [...Object.values(parts), told.says, told.facts, at("moved"), at("keeping")]) fill(place);
      told.request.textContent = requestText(body);
      fill(at("notice"), element("p", { class: "quiet" }, "No list: what is wrong stands above."));
    },
    busy: (is) => at("shortlist").setAttribute("aria-busy", String(is)),
  };
}

function fewer({ items, k }) {
  const text = `Only ${items.length} of the ${k} that were asked for: the rules allow no more.`;
  return items.length < k ? element("p", { class: "quiet" }, text) : null;
}

/** Ways to loosen the rules, each with what its button says. */
function remedies(state, { change }) {
  return [
    state.filters.length ? ["Take the filters away", () => change({ filters: [] }, step("the filters went"), 0)] : null,
    state.keepSeen ? null : ["Let seen items in", () => change({ keepSeen: true }, step("seen items came in"), 0)],
    state.exclude.length ? ["Let all back in", () => change({ exclude: [] }, step("items came back in"), 0)] : null,
  ].filter(Boolean);
}
