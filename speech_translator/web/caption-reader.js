// Reads the captions of a shared session (docs/LIVE.md, "Many readers") and comes back by itself:
// what was read is not asked for again. Knows no document.

import { EventStreamParser } from "./event-stream.js";

const WAITS_MS = [500, 1000, 2000, 4000, 8000];
const ABSENT_MS = 2 * 60_000; // a session waits this long for its speaker, also over a restart
const GIVE_UP_MS = 10 * 60_000;
const SILENT_MS = 45_000; // a comment comes every 15 s: a connection this quiet is gone

const refused = (status) => status < 500 && status !== 429; // that no later try changes

export class CaptionReader {
  #lastId = "";
  #tries = 0;
  #readAt = 0; // when something came last
  #since = 0; // when the first of the tries in a row was made
  #asked = null;
  #timer = 0;
  #wake = null;
  #over = false;

  // open(lastId, signal): a promise of the answer; onEvent(event): `session`, `final` and `partial`
  // as the service tells them; onState(name, problem): connecting, following, full, reconnecting or
  // ended, then with a reason; now(): a clock in milliseconds.
  constructor({ open, onEvent, onState, now = Date.now }) {
    this.open = open;
    this.onEvent = onEvent;
    this.onState = onState;
    this.now = now;
  }

  // Reads until nothing more comes; asked again, it goes on behind what it has.
  async run() {
    this.#over = false;
    this.#since = this.now();
    this.#tries = 0;
    this.#tell();
    while (!this.#over) {
      const least = await this.#once();
      if (!this.#over) await this.#pause(least);
    }
  }

  // The network is back: do not wait any longer.
  retryNow() {
    this.#wake?.();
  }

  // Connects, and reads what comes; gives the milliseconds to wait at least before the next try.
  async #once() {
    this.#asked = new AbortController();
    this.#listen();
    try {
      const answer = await this.open(this.#lastId, this.#asked.signal);
      if (answer.ok) return await this.#read(answer.body);
      await answer.body?.cancel();
      return this.#refused(answer);
    } catch {
      this.#tell(); // no network, or the connection broke
      this.#giveUp("lost", GIVE_UP_MS);
      return 0;
    } finally {
      clearTimeout(this.#timer);
      this.#asked.abort();
    }
  }

  async #read(body) {
    const parser = new EventStreamParser();
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    this.onState("following");
    for (;;) {
      this.#listen();
      this.#readAt = this.#since = this.now();
      const { done, value } = await reader.read();
      if (done) break;
      for (const event of parser.push(value)) this.#take(event);
    }
    this.#tell();
    return 0;
  }

  #tell() {
    if (!this.#over) this.onState(this.#readAt ? "reconnecting" : "connecting");
  }

  // For an answer, or more of it, but not for ever.
  #listen() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#asked.abort(), SILENT_MS);
  }

  #take({ type, data, id }) {
    this.#tries = 0;
    const event = { ...JSON.parse(data), type };
    if (type === "done") this.#finish(event.reason);
    else this.onEvent(event);
    if (id !== null) this.#lastId = id;
  }

  #refused({ status, headers }) {
    const seconds = Number(headers.get("retry-after")) || 0;
    if (status === 404 && this.#readAt) this.#giveUp("notShared", ABSENT_MS);
    else if (status === 404) this.#finish("notShared");
    else if (refused(status)) this.#finish("failed");
    else {
      this.onState("full");
      this.#giveUp("lost", GIVE_UP_MS);
    }
    return seconds * 1000;
  }

  #giveUp(reason, afterMs) {
    if (this.now() - this.#since >= afterMs) this.#finish(reason);
  }

  async #pause(leastMs) {
    const wait = WAITS_MS[Math.min(this.#tries, WAITS_MS.length - 1)];
    this.#tries += 1;
    const soon = leastMs + wait * (0.5 + Math.random()); // a hall of readers comes back one by one
    await new Promise((resolve) => {
      this.#wake = resolve;
      setTimeout(resolve, soon);
    });
    this.#wake = null;
  }

  #finish(reason) {
    if (this.#over) return;
    this.#over = true;
    this.onState("ended", reason);
  }
}
