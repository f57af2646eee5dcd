// A client of docs/LIVE.md that comes back by itself: sound goes out at once, what was not
// acknowledged is kept, and after a break the session goes on where the service says. Knows neither
// the document nor where its sound comes from.

import { AudioKeeper } from "./audio-keeper.js";

export const RATE = 16_000;
const FRAME = RATE / 10;
const KEPT = 60 * RATE;
const BUFFERED_BYTES = 256 * 1024; // more than this would only wait in the browser
const WAITS_MS = [200, 500, 1000, 2000, 4000, 8000];
const GIVE_UP_MS = 5 * 60_000;
const FIRST_TRIES = 3;
const SILENT_MS = 30_000; // the service acknowledges silence, too: a connection this quiet is gone
const GOES_ON = new Set(["slow_consumer", "shutting_down", "draining"]);

export class LiveClient {
  #keeper = new AudioKeeper(KEPT);
  #socket = null;
  #ready = false; // the socket takes sound
  #base = 0; // where the server's session begins in our sound
  #next = 0; // the sample to be sent next
  #token = null;
  #seq = 0;
  #session = 0;
  #tries = 0;
  #lostAt = 0;
  #heardAt = 0;
  #timer = 0;
  #ending = false;
  #endSent = false;
  #unsharing = false;
  #updating = null;
  #over = false;
  #fatal = null;
  #done = null;

  // request: the first message; open(): a promise of a WebSocket; onEvent(event, seconds, session):
  // `seconds` is what its times count from; onState(name, problem): connecting, ready, reconnecting
  // or ended; now(): a clock in milliseconds.
  constructor(request, { open, onEvent, onState, now = Date.now }) {
    this.request = request;
    this.open = open;
    this.onEvent = onEvent;
    this.onState = onState;
    this.now = now;
    this.#connect();
  }

  // Int16 samples at RATE, in order.
  push(samples) {
    if (this.#over || this.#ending) return;
    this.#keeper.append(samples);
    if (this.#socket && this.now() - this.#heardAt >= SILENT_MS) this.#leave();
    this.#pump();
  }

  // No more sound; ends once all of it was heard and told.
  end() {
    this.#ending = true;
    this.#pump();
  }

  // Nobody else is to read this session, nor one that takes its place.
  unshare() {
    this.request = { ...this.request, share: false };
    this.#unsharing = true;
    if (this.#ready) this.#sendUnshare();
  }

  // Other targets, from what has not ended yet on: {target_languages, speech}.
  update(wanted) {
    this.request = { ...this.request, ...wanted };
    this.#updating = wanted;
    if (this.#ready) this.#sendUpdate();
  }

  abandon() {
    this.#finish();
  }

  // The network is back: do not wait any longer.
  retryNow() {
    if (this.#timer) this.#connect();
  }

  async #connect() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.onState(this.#session ? "reconnecting" : "connecting");
    let socket;
    try {
      socket = await this.open();
    } catch (error) {
      if (error.status && error.status < 500) this.#finish(error);
      else this.#again();
      return;
    }
    if (this.#over) {
      socket.close();
      return;
    }
    this.#socket = socket;
    this.#heardAt = this.now(); // it has as long to open
    this.#fatal = this.#done = null;
    socket.addEventListener("open", () => socket.send(JSON.stringify(this.#first())));
    socket.addEventListener("message", ({ data }) => {
      if (socket === this.#socket) this.#take(JSON.parse(data));
    });
    socket.addEventListener("close", ({ code, reason }) => {
      if (socket === this.#socket) this.#closed(code, reason);
    });
  }

  #first() {
    if (this.#token) return { type: "resume", token: this.#token, last_seq: this.#seq };
    this.#seq = 0;
    return this.request;
  }

  // Does not wait for the other side, which is not there.
  #leave() {
    const socket = this.#socket;
    this.#closed(1006, "");
    socket.close();
  }

  #take(event) {
    this.#heardAt = this.now();
    this.#seq = Math.max(this.#seq, event.seq);
    if (event.type === "unshared") this.#unsharing = false;
    if (event.type === "updated") this.#updating = null;
    if (event.type === "ready") this.#begin(event);
    else if (event.type === "ack") this.#keeper.forget(this.#place(event.audio_s));
    else if (event.type === "done") this.#done = event.reason;
    else if (event.type === "error" && event.fatal) this.#fatal = event;
    else this.onEvent(event, this.#base / RATE, this.#session);
  }

  #place(seconds) {
    return this.#base + Math.round(seconds * RATE);
  }

  #begin(event) {
    const { resumed, audio_s: seconds, resume_token: token } = event;
    if (!resumed) {
      this.#session += 1;
      this.#base = this.#keeper.start;
    }
    this.#next = this.#place(seconds);
    this.#token = token;
    this.#tries = this.#lostAt = 0;
    this.#endSent = false;
    this.#ready = true;
    this.onState("ready");
    this.onEvent(event, this.#base / RATE, this.#session);
    if (resumed && this.#unsharing) this.#sendUnshare(); // it may not have come there
    if (resumed && this.#updating) this.#sendUpdate();
    this.#pump();
  }

  #sendUnshare() {
    this.#socket.send('{"type": "unshare"}');
  }

  #sendUpdate() {
    this.#socket.send(JSON.stringify({ type: "update", ...this.#updating }));
  }

  #pump() {
    if (!this.#ready) return;
    while (this.#socket.bufferedAmount < BUFFERED_BYTES) {
      const samples = this.#keeper.read(this.#next, FRAME);
      if (!samples) break;
      this.#socket.send(samples);
      this.#next += samples.length;
    }
    if (!this.#ending || this.#endSent) return;
    if (this.#next < this.#keeper.end) {
      setTimeout(() => this.#pump(), 50);
      return;
    }
    this.#endSent = true;
    this.#socket.send('{"type": "end"}');
  }

  #closed(code, reason) {
    this.#ready = false;
    this.#socket = null;
    if (this.#over) return;
    const why = this.#fatal?.code ?? (reason || this.#done);
    if (why === "resume_refused") {
      this.#token = null; // what was not acknowledged goes into a session of its own
      this.#connect();
    } else if (this.#done && GOES_ON.has(this.#done) && !this.#ending) {
      this.#token = null;
      this.#again();
    } else if (this.#done) {
      this.#finish(this.#done === "end" ? null : { code: this.#done });
    } else if ((code === 1008 || code === 1009 || code === 4001) && !GOES_ON.has(why)) {
      this.#finish({ code: why, message: this.#fatal?.message });
    } else if (!this.#session && this.#tries >= FIRST_TRIES) {
      this.#finish({ code: why || "refused", message: this.#fatal?.message });
    } else {
      this.#again();
    }
  }

  #again() {
    const now = this.now();
    this.#lostAt ||= now;
    if (this.#over) return;
    if (now - this.#lostAt > GIVE_UP_MS || (!this.#session && this.#tries >= FIRST_TRIES)) {
      this.#finish({ code: "lost" });
      return;
    }
    this.onState(this.#session ? "reconnecting" : "connecting");
    const wait = WAITS_MS[Math.min(this.#tries, WAITS_MS.length - 1)];
    this.#tries += 1;
    this.#timer = setTimeout(() => this.#connect(), wait * (0.75 + Math.random() / 2));
  }

  #finish(problem = null) {
    if (this.#over) return;
    this.#over = true;
    this.#ready = false;
    clearTimeout(this.#timer);
    this.#socket?.close();
    this.#socket = null;
    this.onState("ended", problem);
  }
}
