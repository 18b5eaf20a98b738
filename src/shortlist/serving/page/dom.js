// Builds elements. Text from data becomes text nodes and attribute values, never markup.

/** An element with attributes, listeners (`onclick`: a function) and children; what is null or false is left out. */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === "function") made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== false && child !== ""));
  return made;
}

export function button(text, onclick, properties = {}) {
  return element("button", { type: "button", onclick, ...properties }, text);
}

/** An item's label, which opens the item; `key` tells it from other buttons of the item, for the focus. */
export function itemButton(item, open, key) {
  const properties = { class: "item", "data-focus": `${key}-${item.id}` };
  return button(item.label || String(item.id), () => open(item.id), properties);
}

/** Text that only screen readers say. */
export function unseen(text) {
  return element("span", { class: "unseen" }, text);
}

/** A bar that fills this share of its track, from 0 to 1. */
export function bar(share, properties = {}) {
  const made = element("span", { class: "bar", "aria-hidden": "true", ...properties });
  made.style.setProperty("--share", String(Math.max(0, Math.min(1, share || 0))));
  return made;
}

/** A number, in digits of one width. */
export function figure(...text) {
  return element("span", { class: "figure" }, ...text);
}

/** Puts other children into a place; the focus stays on what has the same `data-focus`. */
export function fill(place, ...children) {
  const focused = place.contains(document.activeElement) ? document.activeElement.dataset.focus : undefined;
  place.replaceChildren(...children.filter(Boolean));
  if (focused !== undefined) focusOn(place, focused);
}

/** Puts text into a place that screen readers listen to, unless it says so already. */
export function say(place, ...children) {
  const text = children.map((child) => child.textContent ?? child).join("");
  if (place.textContent !== text) place.replaceChildren(...children);
}

export function focusOn(place, key) {
  const wanted = [...place.querySelectorAll("[data-focus]")].find((one) => one.dataset.focus === key);
  wanted?.focus();
  return wanted !== undefined;
}
