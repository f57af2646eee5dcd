// Plays the spoken translations of a live session one after the other.

export class Speaker {
  #context = new AudioContext();
  #until = 0;

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
    this.#until = Math.max(this.#until, this.#context.currentTime + 0.05);
    source.start(this.#until);
    this.#until += buffer.duration;
  }

  // Silent once what is queued was heard.
  async finish() {
    const left = this.#until - this.#context.currentTime;
    setTimeout(() => this.stop(), Math.max(0, left) * 1000);
  }

  stop() {
    if (this.#context.state !== "closed") this.#context.close();
  }
}
