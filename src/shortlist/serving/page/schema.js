// JSON schemas in words, and values that fit them.

const PLACE = "#/components/schemas/";
const DEEPEST = 6;
const TYPES = {
  string: "text", integer: "whole number", number: "number", boolean: "true or false", null: "null", object: "object",
};
const BOUNDS = [
  ["minimum", "at least"], ["ge", "at least"], ["maximum", "at most"], ["le", "at most"], ["exclusiveMinimum", "above"],
  ["minLength", "at least", "signs"], ["maxLength", "at most", "signs"], ["max_length", "at most"],
  ["minItems", "at least", "of them"], ["maxItems", "at most", "of them"],
];

/** The schema that a reference leads to, with what stands beside the reference. */
export function resolve(schema, all) {
  if (schema?.$ref === undefined) return schema ?? {};
  const { $ref, ...beside } = schema;
  return { ...all[$ref.replace(PLACE, "")], ...beside };
}

/** The type in words: "text or whole number", "list of number". */
export function typeWords(schema, all) {
  if (schema?.$ref !== undefined && !isPlain(resolve(schema, all))) return schema.$ref.replace(PLACE, "");
  const whole = resolve(schema, all);
  if (whole.const !== undefined) return JSON.stringify(whole.const);
  if (whole.enum) return `one of ${whole.enum.join(", ")}`;
  const several = whole.anyOf ?? whole.oneOf;
  if (several) return [...new Set(several.map((one) => typeWords(one, all)))].join(" or ");
  if (whole.type === "array") return whole.items ? `list of ${typeWords(whole.items, all)}` : "list";
  return TYPES[whole.type] ?? "any value";
}

/** What a value must keep to, in words; empty where there is nothing. */
export function boundWords(schema, all) {
  const whole = resolve(schema, all);
  const told = BOUNDS.filter(([key]) => whole[key] !== undefined)
    .map(([key, words, unit]) => `${words} ${whole[key].toLocaleString("en")}${unit ? ` ${unit}` : ""}`);
  if ((whole.default ?? null) !== null) told.push(`${JSON.stringify(whole.default)} where left out`);
  return told.join(", ");
}

/** The fields of an object's schema: name, schema, whether it is required. */
export function fieldsOf(schema, all) {
  const { properties = {}, required = [] } = resolve(schema, all);
  return Object.entries(properties).map(([name, one]) => ({ name, schema: one, isRequired: required.includes(name) }));
}

/** A value of the schema's shape. */
export function exampleOf(schema, all, depth = 0) {
  const whole = resolve(schema, all);
  if (whole.const !== undefined) return whole.const;
  if (whole.enum) return whole.enum[0];
  const several = whole.anyOf ?? whole.oneOf;
  if (several) return exampleOf(several[0], all, depth + 1);
  if (depth > DEEPEST) return null;
  if (whole.type === "array") return whole.items ? [exampleOf(whole.items, all, depth + 1)] : [];
  if (whole.type === "object") {
    const fields = Object.entries(whole.properties ?? {});
    return Object.fromEntries(fields.map(([name, one]) => [name, exampleOf(one, all, depth + 1)]));
  }
  return { string: "…", integer: 0, number: 0.5, boolean: true }[whole.type] ?? null;
}

function isPlain(schema) {
  return schema.type !== undefined && schema.type !== "object";
}

/** The names of the objects that a schema leads to, itself left out. */
export function partsOf(schema, all, found = new Set()) {
  if (Array.isArray(schema)) for (const one of schema) partsOf(one, all, found);
  else if (schema !== null && typeof schema === "object") {
    const name = schema.$ref?.replace(PLACE, "");
    if (name !== undefined && !found.has(name)) {
      if (!isPlain(all[name] ?? {})) found.add(name);
      partsOf(all[name], all, found);
    }
    for (const one of Object.values(schema)) partsOf(one, all, found);
  }
  return found;
}
