// The head of the page: which model answers, and how good it was.

import { bar, element, figure, fill } from "./dom.js";
import { baselineName, capital, count, fixed, metricMeaning, metricName } from "./words.js";

export function showModel(place, model) {
  const { users, items, train_events: events } = model.counts;
  const counts = [count(users, "user"), count(items, "item"), count(events, "training event")];
  document.title = `${model.name} · shortlist`;
  fill(
    place,
    element("h1", {}, model.name, model.version === null ? null : element("span", { class: "version" }, model.version)),
    element("p", { class: "quiet" }, counts.join(" · ")),
  );
}

export function showEvaluation(place, evaluation) {
  const rows = evaluation === null ? [] : figures(evaluation);
  if (!rows.length) {
    fill(place, element("p", { class: "quiet" }, "This model was not evaluated: how good it is, nobody knows yet."));
    return;
  }
  const most = Math.max(...rows.map((row) => row.value));
  const meaning = metricMeaning(evaluation.decisive);
  fill(
    place,
    element("p", {}, verdictOf(evaluation) ?? "Measured on the test", element("span", { class: "quiet" },
      ` · ${capital(metricName(evaluation.decisive))}`, meaning ? `: ${meaning}` : "")),
    element("dl", { class: "bars" }, ...rows.flatMap(({ name, value, kind }) => [
      element("dt", {}, name),
      element("dd", {}, bar(value / most, { class: `bar ${kind}` }), figure(fixed(value))),
    ])),
  );
}

/** The model, the best of its baselines, and popularity, by the metric that decides. */
function figures({ decisive, metrics, baselines }) {
  const value = metrics?.[decisive];
  if (typeof value !== "number") return [];
  const others = Object.entries(baselines ?? {})
    .map(([name, measured]) => ({ name: baselineName(name), value: measured[decisive], kind: "other" }))
    .filter((row) => typeof row.value === "number")
    .sort((one, other) => other.value - one.value);
  const popularity = others.slice(1).find((row) => row.name === "popularity");
  return [{ name: "this model", value, kind: "own" }, ...others.slice(0, 1), ...(popularity ? [popularity] : [])];
}

/** The first clause of the verdict: "the model beats ials: ..." */
function verdictOf({ verdict, baselines }) {
  if (typeof verdict !== "string") return null;
  let says = verdict.split(": ")[0];
  const named = Object.keys(baselines ?? {}).find((name) => says.endsWith(` ${name}`));
  if (named !== undefined) says = says.slice(0, -named.length) + baselineName(named);
  return element("strong", {}, `${capital(says)}.`);
}
