// Talks to the server that this page came from.

const PATIENCE = 20_000;

/** Why a request was not answered: the server's own sentence, the place in the request, and what could stand there. */
export class Problem extends Error {
  constructor(text, { status = 0, where = null, known = null } = {}) {
    super(text);
    this.status = status;
    this.where = where;
    this.known = known;
  }

  /** Whether the same request may be answered a little later. */
  get passes() {
    return this.status === 0 || this.status >= 500;
  }
}

export function get(path, signal) {
  return ask(path, {}, signal);
}

export function post(path, body, signal) {
  const headers = { "content-type": "application/json" };
  return ask(path, { method: "POST", headers, body: JSON.stringify(body) }, signal);
}

/** An id as a part of a path; null for one that no path can hold. */
export function segment(id) {
  const text = String(id);
  return text === "" || text === "." || text === ".." || text.includes("/") ? null : encodeURIComponent(text);
}

/** Asks only the latest of several questions: those before it are given up, and their answers dropped. */
export function latest(question, { answered, failed }) {
  let timer, controller, turn = 0;
  return (delay, ...details) => {
    const mine = ++turn;
    clearTimeout(timer);
    controller?.abort();
    timer = setTimeout(async () => {
      controller = new AbortController();
      try {
        const answer = await question(controller.signal, ...details);
        if (mine === turn) answered(answer, ...details);
      } catch (problem) {
        if (mine === turn && problem.name !== "AbortError") failed(problem, ...details);
      }
    }, delay);
  };
}

async function ask(path, options, signal) {
  const patience = AbortSignal.timeout(PATIENCE);
  const signals = signal ? AbortSignal.any([signal, patience]) : patience;
  let response;
  try {
    response = await fetch(path, { ...options, signal: signals });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    if (error.name === "TimeoutError") throw new Problem("The server did not answer within 20 seconds.");
    throw new Problem("The server cannot be reached. It may have been stopped, or the network is down.");
  }
  const body = await response.json().catch((error) => (error.name === "AbortError" ? Promise.reject(error) : null));
  if (response.ok && body !== null) return body;
  const text = body?.error ?? `The server answered with status ${response.status}, and not with JSON.`;
  throw new Problem(text, { status: response.status, where: body?.where, known: body?.known });
}
