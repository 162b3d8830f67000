/** Slack as one person has it: conversations, messages, modals, and what they do there. */

import { drawChannels } from "./channels.js";
import { Composer } from "./composer.js";
import { setText } from "./dom.js";
import { drawMessages } from "./messages.js";
import { Modals } from "./modal.js";
import { conversationName } from "./names.js";
import { ask, Gone, ifPossible, Refused } from "./services.js";

// All else reaches the stand-in in the order in which it was done: what is typed before a submit
// counts, however long the bot takes over it.
const UNORDERED = new Set(["type-ahead", "click", "command", "read", "cancel", "dismiss"]);

const $ = (id) => document.getElementById(id);

export class SlackSide {
  constructor(me, commands, channel) {
    this.me = me;
    this.commands = commands;
    this.channel = channel;
    this.sight = null; // what this person sees, as the stand-in said last
    this.last = Promise.resolve();
    this.troubles = {}; // by a message's ts: what came of a button that nobody answered
    this.composer = new Composer($("composer"), (typed) => this.send(typed));
    this.modals = new Modals($("modal"), (...what) => this.act(...what), this.composer.field);
  }

  get path() {
    return `/slack/sandbox/as/${this.me.id}`;
  }

  async look() {
    this.show(await ask(this.path));
  }

  /** Begin anew with whoever answers next: what was seen is of a sandbox that has ended. */
  forget() {
    this.sight = null;
  }

  /** Do something as this person; `done` is called once the stand-in knows, or won't. */
  async act(name, body, { done = () => {}, signal } = {}) {
    const before = UNORDERED.has(name) ? Promise.resolve() : this.last;
    const doing = before
      .then(() => ask(`${this.path}/${name}`, { method: "POST", body, signal }))
      .catch((error) => {
        if (!(error instanceof Gone)) done();
        throw error;
      });
    if (!UNORDERED.has(name)) this.last = doing.catch(() => {});
    const answer = await doing;
    done();
    if (answer.user) this.show(answer);
    return answer;
  }

  async send(typed) {
    const name = typed.startsWith("/") ? "command" : "say";
    $("messages").scrollTop = $("messages").scrollHeight; // what follows is seen
    await this.act(name, { channel: this.channel, text: typed });
  }

  /** Press a button of a message; if nobody answers, the message says so until the next press. */
  async click(message, block, element) {
    delete this.troubles[message.ts];
    const where = { channel: message.channel, ts: message.ts };
    const what = { block_id: block.block_id, action_id: element.action_id };
    const before = this.sight?.strips.length ?? 0;
    const pressing = this.act("click", { ...where, ...what });
    const refused = (error) => {
      if (!(error instanceof Refused)) throw error;
      this.troubles[message.ts] = error.message;
    };
    const answer = await ifPossible(pressing.catch(refused));
    if (answer?.strips.length > before) this.troubles[message.ts] = answer.strips.at(-1);
    this.draw();
  }

  open(channel) {
    this.channel = channel;
    const url = new URL(location);
    url.searchParams.set("channel", channel);
    history.replaceState(null, "", url);
    this.draw();
  }

  /** Take over what this person sees, unless something newer is known already. */
  show(sight) {
    if (!this.sight || sight.beat >= this.sight.beat) this.sight = sight;
    this.draw();
  }

  draw() {
    if (!this.sight) return;
    const { channels, modals } = this.sight;
    const here = channels.find(({ id }) => id === this.channel) ?? channels[0];
    this.channel = here.id;
    const name = conversationName(here, this.me.id);
    setText($("channel-name"), name);
    drawChannels($("channels"), channels, here.id, this.me.id, (id) => this.open(id));
    drawMessages($("messages"), here, this.troubles, (...what) => this.click(...what));
    this.composer.draw(here, name, this.commands);
    this.modals.draw(modals);
    this.read(here);
  }

  read({ id, unread, messages }) {
    if (!unread || document.visibilityState !== "visible") return;
    ifPossible(this.act("read", { channel: id, ts: messages.at(-1).ts }));
  }
}
