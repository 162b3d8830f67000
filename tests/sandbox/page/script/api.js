/** The `/sandbox/…` endpoints of the stand-ins. */

export const RETRY_DELAY = 1000; // ms

/** A stand-in refused an action. `errors` are those of a form, by block. */
export class ConflictError extends Error {
  constructor(message, errors) {
    super(message);
    this.errors = errors;
  }
}

/** The sandbox does not answer. */
export class UnreachableError extends Error {}

/** Send a request and return the JSON. Throws ConflictError for a 409, and UnreachableError. */
export async function request(path, { method = "GET", body, signal } = {}) {
  const sent = body === undefined ? {} : { body: JSON.stringify(body) };
  const headers = body === undefined ? {} : { "content-type": "application/json" };
  const response = await fetch(path, { method, headers, cache: "no-store", signal, ...sent }).catch(
    (error) => {
      throw error.name === "AbortError" ? error : new UnreachableError(path);
    },
  );
  if (response.ok) return response.json();
  const text = await response.text();
  if (response.status !== 409) throw new Error(`${path}: ${response.status} ${text}`);
  const { error, errors } = JSON.parse(text);
  throw new ConflictError(error, errors);
}

/** Ignore that an action has become impossible: the view is closed, or the sandbox has ended. */
export const ignoreImpossible = (promise) =>
  promise.catch((error) => {
    if (!(error instanceof ConflictError || error instanceof UnreachableError)) throw error;
  });

/**
 * Call `onChange` with the versions of the page's parts whenever one changes, and `onConnection`
 * with whether the sandbox answers.
 */
export function subscribe(onChange, onConnection) {
  const socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/live`);
  socket.onopen = () => onConnection(true);
  socket.onmessage = (event) => onChange(JSON.parse(event.data));
  socket.onclose = () => {
    onConnection(false);
    setTimeout(() => subscribe(onChange, onConnection), RETRY_DELAY);
  };
}
