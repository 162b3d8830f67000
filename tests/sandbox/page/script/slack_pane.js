/** The left side: Slack as one user sees it, and what the user does there. */

import { ConflictError, ignoreImpossible, request, UnreachableError } from "./api.js";
import { drawChannels } from "./channels.js";
import { Composer } from "./composer.js";
import { byId, setText } from "./dom.js";
import { drawMessages } from "./messages.js";
import { Modals } from "./modal.js";
import { conversationName } from "./names.js";

// All other actions are sent one after the other: what is typed must arrive before a submit.
const UNORDERED = new Set(["type-ahead", "click", "command", "read", "cancel", "dismiss"]);

export class SlackPane {
  constructor(user, commands, channel) {
    this.user = user;
    this.commands = commands;
    this.channel = channel;
    this.screen = null; // what the user sees, as the stand-in said last
    this.lastAction = Promise.resolve();
    this.pressErrors = {}; // by a message's ts: why its button did not work
    this.composer = new Composer(byId("composer"), (text) => this.send(text));
    const act = (name, body, options) => this.act(name, body, options);
    this.modals = new Modals(byId("modal"), act, this.composer.field);
  }

  get path() {
    return `/slack/sandbox/as/${this.user.id}`;
  }

  async refresh() {
    this.show(await request(this.path));
  }

  /** Forget what was seen, which was in another sandbox. */
  reset() {
    this.screen = null;
  }

  /** Act as the user. `done` is called when the stand-in has carried out the action or refused. */
  async act(name, body, { done = () => {}, signal } = {}) {
    const before = UNORDERED.has(name) ? Promise.resolve() : this.lastAction;
    const acting = before
      .then(() => request(`${this.path}/${name}`, { method: "POST", body, signal }))
      .catch((error) => {
        if (!(error instanceof UnreachableError)) done();
        throw error;
      });
    if (!UNORDERED.has(name)) this.lastAction = acting.catch(() => {});
    const response = await acting;
    done();
    if (response.user) this.show(response);
    return response;
  }

  async send(text) {
    const name = text.startsWith("/") ? "command" : "say";
    byId("messages").scrollTop = byId("messages").scrollHeight; // so that the answer is seen
    await this.act(name, { channel: this.channel, text });
  }

  /** Press a button of a message. If it fails, the message shows the error until the next press. */
  async click(message, block, element) {
    delete this.pressErrors[message.ts];
    const before = this.screen?.strips.length ?? 0;
    const body = {
      channel: message.channel,
      ts: message.ts,
      block_id: block.block_id,
      action_id: element.action_id,
    };
    const pressed = this.act("click", body).catch((error) => {
      if (!(error instanceof ConflictError)) throw error;
      this.pressErrors[message.ts] = error.message;
    });
    const screen = await ignoreImpossible(pressed);
    if (screen?.strips.length > before) this.pressErrors[message.ts] = screen.strips.at(-1);
    this.draw();
  }

  open(channel) {
    this.channel = channel;
    const url = new URL(location);
    url.searchParams.set("channel", channel);
    history.replaceState(null, "", url);
    this.draw();
  }

  /** Show what the user sees, unless the page already shows something newer. */
  show(screen) {
    if (!this.screen || screen.changes >= this.screen.changes) this.screen = screen;
    this.draw();
  }

  draw() {
    if (!this.screen) return;
    const { channels, modals } = this.screen;
    const channel = channels.find(({ id }) => id === this.channel) ?? channels[0];
    const userId = this.user.id;
    this.channel = channel.id;
    const name = conversationName(channel, userId);
    setText(byId("channel-name"), name);
    drawChannels(byId("channels"), channels, channel.id, userId, (id) => this.open(id));
    drawMessages(byId("messages"), channel, this.pressErrors, (...pressed) => this.click(...pressed));
    this.composer.draw(channel, name, this.commands);
    this.modals.draw(modals);
    this.markRead(channel);
  }

  markRead({ id, unread, messages }) {
    if (!unread || document.visibilityState !== "visible") return;
    ignoreImpossible(this.act("read", { channel: id, ts: messages.at(-1).ts }));
  }
}
