// What stands where an answer should: a problem, with what to do about it.

import { button, element } from "./dom.js";

const TITLES = { 0: "No connection", 503: "Not now", 404: "Not found", 500: "The server failed" };

/** A problem in the server's own sentence; one that may pass has a button that asks again. */
export function makeProblem(problem, retry) {
  const again = problem.passes && retry ? button("Try again", retry, { "data-focus": "retry" }) : null;
  return element(
    "div", { class: "problem", role: "alert" },
    element("strong", {}, TITLES[problem.status] ?? "The question cannot be answered"),
    element("p", {}, problem.message),
    problem.known?.length ? element("p", { class: "small" }, "Known: ", problem.known.join(", ")) : null,
    again,
  );
}

/** What stands there when nothing may come back: the rules that took it all, and ways to loosen them. */
export function makeEmpty(rules, remedies) {
  return element(
    "div", { class: "problem empty" },
    element("strong", {}, "Nothing is allowed under these rules"),
    element("p", {}, rules.length ? `Every item is ${rules.join(" or ")}.` : "The catalogue holds no item."),
    element("p", { class: "actions" }, ...remedies.map(([text, does]) => button(text, does))),
  );
}
