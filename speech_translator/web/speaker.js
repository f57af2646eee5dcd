// Plays the spoken translations of a live session one after the other.

export class Speaker {
  #context = new AudioContext();
  #until = 0;
  #queued = new Set();

  // Seconds that are still to be heard.
  get left() {
    return Math.max(0, this.#until - this.#context.currentTime);
  }

  // An `audio` event: base64 of mono 16-bit little-endian samples.
  play({ audio, sample_rate: rate }) {
    const bytes = Uint8Array.from(atob(audio), (letter) => letter.charCodeAt(0));
    const samples = new Int16Array(bytes.buffer, 0, bytes.length >> 1);
    if (!samples.length) return;
    const buffer = this.#context.createBuffer(1, samples.length, rate);
    buffer.copyToChannel(Float32Array.from(samples, (sample) => sample / 32768), 0);
    const source = this.#context.createBufferSource();
    source.buffer = buffer;
    source.connect(this.#context.destination);
    source.onended = () => this.#queued.delete(source);
    this.#queued.add(source);
    this.#until = Math.max(this.#until, this.#context.currentTime + 0.05);
    source.start(this.#until);
    this.#until += buffer.duration;
  }

  // Silent once what is queued was heard.
  finish() {
    setTimeout(() => this.stop(), this.left * 1000);
  }

  // Silent at once; what is played from here on is heard again.
  hush() {
    for (const source of this.#queued) source.stop();
    this.#queued.clear();
    this.#until = 0;
  }

  stop() {
    if (this.#context.state !== "closed") this.#context.close();
  }
}
