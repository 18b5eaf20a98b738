// The page of routes: the server's own description, laid out to be read and tried.

import { get } from "./api.js";
import { button, element, fill } from "./dom.js";
import { makeProblem } from "./problem.js";
import { boundWords, fieldsOf, partsOf, resolve, typeWords } from "./schema.js";
import { makeTrying } from "./trying.js";
import { joined } from "./words.js";

const place = document.getElementById("routes");

start();

async function start() {
  try {
    show(await get("openapi.json"));
  } catch (problem) {
    fill(place, makeProblem(problem, start));
  }
}

function show(description) {
  const all = description.components?.schemas ?? {};
  const routes = Object.entries(description.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })));
  const ids = idsOf(routes);
  const sections = routes.map((route) => section(route, all, ids));
  const toggle = button("Open all", () => {
    const isOpen = sections.every((one) => one.open);
    for (const one of sections) one.open = !isOpen;
    toggle.textContent = isOpen ? "Open all" : "Close all";
  }, { class: "plain" });
  const { title, version } = description.info;
  document.getElementById("title").append(element("span", { class: "version" }, `${title} ${version}`));
  fill(place, element("div", { class: "docs-head" }, introduction(), toggle), ...sections);
  openNamed();
  window.addEventListener("hashchange", openNamed);
}

function introduction() {
  return element("p", { class: "quiet" }, ...coded(
    "Bodies and answers are JSON. A refusal says in `error` what was expected, what came and what to do; `where` is " +
      "the place in the request, `known` what could stand there.",
  ));
}

function openNamed() {
  const named = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (named?.matches("details.route")) {
    named.open = true;
    named.scrollIntoView();
  }
}

function section(route, all, ids) {
  const { method, path, operation } = route;
  const made = element(
    "details", { class: "route", id: operation.operationId },
    element("summary", {},
      element("span", { class: `method ${method.toLowerCase()}` }, method),
      element("code", {}, path),
      element("span", { class: "quiet" }, operation.summary)),
  );
  let isFilled = false;
  made.addEventListener("toggle", () => {
    if (!made.open || isFilled) return;
    isFilled = true;
    const trying = makeTrying(route, all, ids);
    const parts = [...parameters(operation, all), ...body(operation, all), trying.box, errors(operation)];
    made.append(element("div", { class: "route-body" }, ...parts));
    trying.ask();
  });
  return made;
}

function parameters({ parameters: given = [] }, all) {
  if (!given.length) return [];
  const rows = given.map((one) => ({
    name: one.name,
    schema: one.schema,
    isRequired: Boolean(one.required),
    text: one.schema.description ?? (one.in === "path" ? "Part of the path." : ""),
  }));
  return [element("h3", {}, "Parameters"), table(rows, all)];
}

function body({ requestBody }, all) {
  const schema = requestBody?.content["application/json"]?.schema;
  if (!schema) return [];
  const parts = [...partsOf(resolve(schema, all), all)];
  const shown = parts.flatMap((name) => object(name, all[name], all));
  if (!parts.length) return object("Body", schema, all);
  const summary = element("summary", {}, `What ${joined(parts)} ${parts.length > 1 ? "hold" : "holds"}`);
  return [...object("Body", schema, all), element("details", { class: "parts" }, summary, ...shown)];
}

function object(title, schema, all) {
  return [
    element("h3", {}, title),
    element("p", { class: "quiet" }, ...coded(resolve(schema, all).description ?? "")),
    table(fieldsOf(schema, all).map((field) => ({ ...field, text: field.schema.description ?? "" })), all),
  ];
}

/** A text whose parts between backticks are code. */
function coded(text) {
  return text.split("`").map((part, at) => (at % 2 ? element("code", {}, part) : part));
}

function table(rows, all) {
  return element("dl", { class: "fields" }, ...rows.flatMap(({ name, schema, isRequired, text }) => [
    element("dt", {}, element("code", {}, name), isRequired ? element("span", { class: "tag" }, "needed") : null),
    element("dd", {}, ...coded(text), " ", element("span", { class: "quiet" }, limits(schema, all))),
  ]));
}

function limits(schema, all) {
  return [typeWords(schema, all), boundWords(schema, all)].filter(Boolean).join("; ");
}

function errors({ responses }) {
  const refusals = Object.entries(responses).filter(([status]) => status >= "400");
  const rows = refusals.flatMap(([status, { description }]) => [
    element("dt", {}, element("code", {}, status)),
    element("dd", {}, description),
  ]);
  return element("div", {}, element("h3", {}, "Refusals"), element("dl", { class: "fields" }, ...rows));
}

/** Values for the parameters of paths, from the examples of bodies that hold one. */
function idsOf(routes) {
  const contents = routes.map(({ operation }) => operation.requestBody?.content["application/json"]);
  const bodies = contents.flatMap((content) => Object.values(content?.examples ?? {})).map((example) => example.value);
  const query = bodies.find((one) => one.query)?.query ?? {};
  return { item_id: bodies.find((one) => one.item_id)?.item_id, user_id: Object.values(query)[0] };
}
