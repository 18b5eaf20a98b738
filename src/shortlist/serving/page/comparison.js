// What a list is compared with, and what moved.

let steps = 0;

/** A cause of its own for one change; `words` follow "the list before". */
export function step(words) {
  return { key: `step ${++steps}`, words };
}

/** The list to compare with: the one that was kept, else the one before the latest run of changes to one thing. */
export class Reference {
  #kept = null;
  #before = null;
  #key = null;

  /**
   * Notes that something changes while `shown` is the list. Changes whose causes have the same key are one run of
   * changes; a cause without words ends the comparison.
   */
  note(cause, shown) {
    if (cause.key === this.#key) return;
    this.#key = cause.key;
    const isOver = cause.words === null || shown === null;
    this.#before = isOver ? null : { ...shown, words: `the list before ${cause.words}` };
  }

  keep(shown) {
    this.#kept = shown;
    this.#key = null;
    this.#before = null;
  }

  get isKept() {
    return this.#kept !== null;
  }

  get list() {
    return this.#kept ?? this.#before;
  }
}

/**
 * How each item of a list moved against another, and which fell out. Where one list is longer than the other, what
 * stands beyond the shorter one's end is neither new nor gone.
 */
export function compare(list, other) {
  const places = new Map(other.items.map((item, at) => [String(item.id), at + 1]));
  const here = new Set(list.items.map((item) => String(item.id)));
  const marks = list.items.map((item, at) => {
    const old = places.get(String(item.id));
    if (old === undefined) return { kind: at < other.k ? "new" : "beyond", by: 0 };
    const by = old - (at + 1);
    return { kind: by > 0 ? "up" : by < 0 ? "down" : "same", by: Math.abs(by) };
  });
  const fallen = other.items
    .map((item, at) => ({ item, place: at + 1 }))
    .filter(({ item, place }) => !here.has(String(item.id)) && place <= list.k);
  const of = (kind) => marks.filter((mark) => mark.kind === kind).length;
  return { marks, fallen, up: of("up"), down: of("down"), fresh: of("new") };
}
