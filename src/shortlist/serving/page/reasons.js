// Why an item stands in the list: what it is like in the history, and what each feature did for its score.

import { bar, element, figure, itemButton } from "./dom.js";
import { featureParts, fixed, joined, signed } from "./words.js";

const NOTHING = 5e-4;

export function makeReasons(item, answer, open) {
  const box = element("div", { class: "reasons" });
  if (item.why === undefined) {
    box.append(element("p", { class: "quiet" }, "Asking for the reasons …"));
    return box;
  }
  box.append(near(item, open), effects(item, answer));
  return box;
}

function near(item, open) {
  const { near: found } = item.why;
  const head = element("h3", {}, found.length ? "Because of what was touched" : "Nothing like it was touched");
  if (!found.length) {
    return element("div", {}, head, element("p", { class: "quiet" }, "No item of the history points the same way."));
  }
  return element("div", {}, head, element("ul", { class: "near" }, ...found.map((one) => element(
    "li", {}, itemButton(one, open, `near-${item.id}`), bar(one.similarity), figure(fixed(one.similarity, 2)),
  ))), element("p", { class: "quiet small" }, "Cosine of their vectors; 1 is the same direction."));
}

function effects(item, { query }) {
  const all = Object.entries(item.why.features);
  if (!all.length) {
    const maker = query === "fallback" ? "Popularity" : "What is like the history";
    const why = `${maker} made this list, and no feature.`;
    return element("div", {}, element("h3", {}, "No features"), element("p", { class: "quiet" }, why));
  }
  const telling = all.filter(([, by]) => Math.abs(by) >= NOTHING);
  telling.sort(([, one], [, other]) => Math.abs(other) - Math.abs(one));
  const silent = all.filter(([, by]) => Math.abs(by) < NOTHING).map(([name]) => said(name));
  const most = Math.max(...telling.map(([, by]) => Math.abs(by)));
  return element(
    "div", {},
    element("h3", {}, "What each feature did"),
    element("dl", { class: "effects" }, ...telling.flatMap(([name, by]) => effect(name, by, most))),
    silent.length ? element("p", { class: "quiet small" }, `No effect: ${joined(silent)}.`) : null,
    element("p", { class: "quiet small" }, "How far each lifts the item above the average one."),
  );
}

function effect(name, by, most) {
  const { column, kind } = featureParts(name);
  return [
    element("dt", {}, column, " ", element("span", { class: "quiet" }, kind)),
    element("dd", {}, bar(Math.abs(by) / most, { class: by < 0 ? "bar signed minus" : "bar signed plus" }),
      figure(signed(by))),
  ];
}

function said(name) {
  const { column, kind } = featureParts(name);
  return kind ? `${column} (${kind})` : column;
}
