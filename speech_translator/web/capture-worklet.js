// Runs on the audio thread: mixes what comes to one channel, resamples it to 16 kHz and posts it in
// frames of 100 ms as 16-bit samples, with their peak.

import { Resampler } from "./resampler.js";

const RATE = 16_000;
const FRAME = RATE / 10;

class Capture extends AudioWorkletProcessor {
  #resampler = new Resampler(sampleRate, RATE);
  #frame = new Int16Array(FRAME);
  #filled = 0;
  #peak = 0;
  #ended = false;

  constructor() {
    super();
    this.port.onmessage = () => {
      this.#post();
      this.#ended = true;
      this.port.postMessage({ ended: true });
    };
  }

  process([channels]) {
    if (channels.length) {
      for (const value of this.#resampler.process(mixed(channels))) this.#add(value);
    }
    return !this.#ended;
  }

  #add(value) {
    const limited = Math.max(-1, Math.min(1, value));
    this.#peak = Math.max(this.#peak, Math.abs(limited));
    this.#frame[this.#filled] = Math.round(limited * 32767);
    this.#filled += 1;
    if (this.#filled === FRAME) this.#post();
  }

  #post() {
    if (!this.#filled) return;
    const samples = this.#frame.slice(0, this.#filled);
    this.port.postMessage({ samples, peak: this.#peak }, [samples.buffer]);
    this.#filled = 0;
    this.#peak = 0;
  }
}

function mixed(channels) {
  if (channels.length === 1) return channels[0];
  return channels[0].map((_, i) => channels.reduce((sum, one) => sum + one[i], 0) / channels.length);
}

registerProcessor("capture", Capture);
