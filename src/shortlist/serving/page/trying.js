// The part of a route that can be tried: its request as a line for a shell, an editable body, and the answer.

import { button, element, fill } from "./dom.js";
import { exampleOf } from "./schema.js";

/** Builds it for a route (`method`, `path`, `operation`); `ids` are values for the path's parameters. */
export function makeTrying({ method, path, operation }, all, ids) {
  const content = operation.requestBody?.content["application/json"];
  const needsKey = Boolean(operation.security);
  const example = Object.values(content?.examples ?? {})[0]?.value ?? (content ? exampleOf(content.schema, all) : null);
  const line = element("pre", { class: "curl", tabindex: "0", "aria-label": "The request for a shell" });
  const answer = element("pre", { class: "reply", tabindex: "0", "aria-label": "The answer" });
  const title = element("h3", { role: "status" }, "Answer");
  const asJson = { rows: 4, spellcheck: "false", "aria-label": "The body, as JSON", oninput: tell };
  const body = content ? element("textarea", asJson) : null;
  const address = element("input", { type: "text", "aria-label": "The path", spellcheck: "false", oninput: tell });
  address.value = path.replaceAll(/\{(\w+)\}/g, (_, name) => encodeURIComponent(ids[name] ?? "1"));
  if (body) body.value = JSON.stringify(example);
  const send = button("Send", ask);

  function tell() {
    line.textContent = curl({ method, path: address.value, body: body?.value ?? null, needsKey });
  }

  async function ask() {
    title.textContent = "Answer: waiting …";
    try {
      const headers = body ? { "content-type": "application/json" } : {};
      const response = await fetch(address.value.replace(/^\/+/, ""), { method, headers, body: body?.value });
      const text = await response.text();
      title.textContent = `Answer: status ${response.status}`;
      answer.textContent = laidOut(text);
    } catch {
      title.textContent = "Answer: the server cannot be reached";
      answer.textContent = "";
    }
  }

  tell();
  const shape = operation.responses[200]?.content?.["application/json"]?.schema;
  if (shape) answer.textContent = laidOut(JSON.stringify(exampleOf(shape, all)));
  const several = Object.entries(content?.examples ?? {});
  const examples = (several.length > 1 ? several : []).map(([name, { value }]) => button(name, () => {
    body.value = JSON.stringify(value);
    tell();
    ask();
  }, { class: "chip" }));
  const box = element("div", { class: "trying" });
  fill(
    box,
    element("div", {},
      element("h3", {}, "Request"),
      line,
      needsKey ? element("p", { class: "quiet small" }, "It wants a key of the server's, and is not tried from here.")
        : element("div", { class: "editor" }, address, body, element("p", { class: "actions" }, send, ...examples))),
    element("div", {}, title, answer),
  );
  return { box, ask: needsKey ? () => undefined : ask };
}

function curl({ method, path, body, needsKey }) {
  const address = new URL(path.replace(/^\/+/, ""), document.baseURI).href;
  const parts = ["curl"];
  if (method === "POST" && body === null) parts.push("-X POST");
  if (needsKey) parts.push("-H 'Authorization: Bearer KEY'");
  if (body !== null) parts.push("-H 'Content-Type: application/json'", `-d ${quoted(body)}`);
  return [...parts, quoted(address)].join(" ");
}

/** A text in single quotes, as a shell reads it. */
function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** JSON over lines, those lists and objects that fit on one line on one. */
function laidOut(text) {
  try {
    return write(JSON.parse(text), "");
  } catch {
    return text;
  }
}

function write(value, indent) {
  const short = JSON.stringify(value);
  if (short.length + indent.length <= 110 || typeof value !== "object") return short;
  const inner = `${indent}  `;
  if (Array.isArray(value)) return `[\n${value.map((one) => inner + write(one, inner)).join(",\n")}\n${indent}]`;
  const fields = Object.entries(value).map(([name, one]) => `${inner}${JSON.stringify(name)}: ${write(one, inner)}`);
  return `{\n${fields.join(",\n")}\n${indent}}`;
}
