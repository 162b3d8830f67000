/** The stand-ins' own interfaces: asking, acting, and hearing that something has changed. */

/** What a stand-in would not do, in its words; `complaints` are those about a form, by block. */
export class Refused extends Error {
  constructor(words, complaints) {
    super(words);
    this.complaints = complaints;
  }
}

/** Nobody answers: the sandbox has ended. */
export class Gone extends Error {}

/** Ask a stand-in; raises Refused where it says no, Gone where nobody answers. */
export async function ask(path, { method = "GET", body, signal } = {}) {
  const sent = body === undefined ? {} : { body: JSON.stringify(body) };
  const headers = body === undefined ? {} : { "content-type": "application/json" };
  const answer = await fetch(path, { method, headers, cache: "no-store", signal, ...sent }).catch(
    (error) => {
      throw error.name === "AbortError" ? error : new Gone(path);
    },
  );
  if (answer.ok) return answer.json();
  const words = await answer.text();
  if (answer.status !== 409) throw new Error(`${path}: ${answer.status} ${words}`);
  const { error, complaints } = JSON.parse(words);
  throw new Refused(error, complaints);
}

/** Do what may have become impossible: the view has gone meanwhile, or the whole sandbox. */
export const ifPossible = (doing) =>
  doing.catch((error) => {
    if (!(error instanceof Refused || error instanceof Gone)) throw error;
  });

export const AGAIN_AFTER = 1000; // ms

/** Call `changed` with how things stand whenever they do, and `reached` with whether anybody is there. */
export function live(changed, reached) {
  const socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/live`);
  socket.onopen = () => reached(true);
  socket.onmessage = (event) => changed(JSON.parse(event.data));
  socket.onclose = () => {
    reached(false);
    setTimeout(() => live(changed, reached), AGAIN_AFTER);
  };
}
