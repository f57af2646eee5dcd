// The sound of a live session that the service has not acknowledged yet, by its place in samples
// since the start. What is older than the bound is let go, and read as silence, so that times hold.

export class AudioKeeper {
  #frames = []; // {at, samples}, in order and without gaps
  #most;
  end = 0;

  constructor(mostSamples) {
    this.#most = mostSamples;
  }

  get start() {
    return this.#frames[0]?.at ?? this.end;
  }

  append(samples) {
    this.#frames.push({ at: this.end, samples });
    this.end += samples.length;
    this.forget(this.end - this.#most);
  }

  // Let go of whole frames before a place.
  forget(before) {
    const first = this.#frames.findIndex(({ at, samples }) => at + samples.length > before);
    this.#frames.splice(0, first < 0 ? this.#frames.length : first);
  }

  // Up to `most` samples from a place on; null where there are none yet.
  read(from, most) {
    if (from >= this.end) return null;
    if (from < this.start) return new Int16Array(Math.min(most, this.start - from));
    const { at, samples } = this.#frames.find((frame) => frame.at + frame.samples.length > from);
    return samples.subarray(from - at, from - at + most);
  }
}
