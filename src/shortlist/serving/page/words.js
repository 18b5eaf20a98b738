// How the page says numbers, metrics, features and columns.

const MINUS = "−";
const BASELINES = { item_knn: "item-kNN", content_knn: "content-kNN", ease: "EASE", ials: "iALS" };
const METRICS = { recall: "recall", hit_rate: "hit rate", precision: "precision", ndcg: "NDCG", map: "MAP" };
const KINDS = [
  "sentence_encoder", "bucketize", "normalize", "categories", "vectors", "weekday", "history", "lookup", "cross",
  "since", "hash", "hour", "text",
];
const LONGEST = 60;

export function number(value) {
  return value.toLocaleString("en", { maximumFractionDigits: 3 }).replace("-", MINUS);
}

export function count(value, one, many = `${one}s`) {
  return `${number(value)} ${value === 1 ? one : many}`;
}

export function fixed(value, digits = 3) {
  return value.toFixed(digits).replace("-", MINUS);
}

export function signed(value, digits = 2) {
  const text = fixed(value, digits);
  return value > 0 ? `+${text}` : text;
}

export function joined(names) {
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

export function capital(text) {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

export function baselineName(name) {
  return BASELINES[name] ?? name.replaceAll("_", " ");
}

/** A metric without its protocol: "top 100 accuracy", "NDCG at 10". */
export function metricName(full) {
  const short = full.split("/")[0];
  const [, k] = /^top_(\d+)_accuracy$/.exec(short) ?? [];
  if (k) return `top ${k} accuracy`;
  const [, kind, at] = /^(.+)_(\d+)$/.exec(short) ?? [];
  if (kind in METRICS) return `${METRICS[kind]} at ${at}`;
  return short === "mrr" ? "MRR" : short.replaceAll("_", " ");
}

/** What a metric means, in a clause; empty where its name says it. */
export function metricMeaning(full) {
  const [, k] = /^top_(\d+)_accuracy/.exec(full) ?? [];
  if (k) return `the share of test events whose item stands among the first ${k}`;
  return full.startsWith("mrr") ? "one over the place of a user's first right item" : "";
}

/** A feature's name as its column and its kind: "bucketize_age" reads age. */
export function featureParts(name) {
  const kind = KINDS.find((known) => name.startsWith(`${known}_`));
  if (kind === "history") return { column: "history", kind: "" };
  return kind === undefined ? { column: name, kind: "" } : { column: name.slice(kind.length + 1), kind };
}

/** Seconds since 1970 as a day. */
export function day(seconds) {
  const date = new Date(seconds * 1_000);
  return Number.isNaN(date.getTime()) ? number(seconds) : date.toISOString().slice(0, 10);
}

/** A column's value in short. */
export function value(of) {
  if (Array.isArray(of)) return cut(of.map(String).join(", "));
  if (typeof of === "number") return Number.isInteger(of) ? String(of).replace("-", MINUS) : number(of);
  if (typeof of === "boolean") return of ? "yes" : "no";
  return cut(String(of).replace(/T00:00:00(\+00:00|Z)?$/, "").replace(/^(\d{4}-\d\d-\d\d)T(?=\d)/, "$1 "));
}

/** The columns of an item that say more than its id and its label. */
export function telling(card) {
  const said = new Set([card.label, String(card.id)]);
  const tells = ([, held]) => !said.has(String(held)) && !(Array.isArray(held) && held.length === 0);
  return Object.entries(card.columns).filter(tells);
}

function cut(text) {
  return text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text;
}
