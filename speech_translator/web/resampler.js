// From any rate to any other by a windowed sinc, piece by piece without seams. The ratio is taken
// as a fraction, so that each phase of the filter is computed once and no drift adds up.

const HALF_WIDTH = 16; // zero crossings on each side
const ROLL_OFF = 0.94; // of the lower of both Nyquist frequencies

export class Resampler {
  #up;
  #down;
  #half;
  #kernels;
  #kept;
  #whole; // place of the next output among the input, in whole samples ...
  #phase = 0; // ... and in parts of `up`

  constructor(from, to) {
    const divisor = greatestCommonDivisor(from, to);
    this.#up = to / divisor;
    this.#down = from / divisor;
    const scale = Math.min(1, to / from);
    this.#half = Math.ceil(HALF_WIDTH / scale);
    this.#kernels = Array.from({ length: this.#up }, (_, phase) =>
      kernel(phase / this.#up, this.#half, scale * ROLL_OFF),
    );
    this.#kept = new Float32Array(this.#half);
    this.#whole = this.#half;
  }

  // What a piece of input brings, as numbers; the last HALF_WIDTH samples come with the next piece.
  process(input) {
    const half = this.#half;
    const samples = new Float32Array(this.#kept.length + input.length);
    samples.set(this.#kept);
    samples.set(input, this.#kept.length);
    const output = [];
    while (this.#whole + half < samples.length) {
      const weights = this.#kernels[this.#phase];
      const first = this.#whole - half + 1;
      let sum = 0;
      for (let i = 0; i < weights.length; i += 1) sum += weights[i] * samples[first + i];
      output.push(sum);
      this.#phase += this.#down;
      this.#whole += Math.floor(this.#phase / this.#up);
      this.#phase %= this.#up;
    }
    const dropped = Math.max(0, Math.min(this.#whole - half + 1, samples.length));
    this.#kept = samples.slice(dropped);
    this.#whole -= dropped;
    return output;
  }
}

function kernel(fraction, half, cutoff) {
  const weights = new Float32Array(2 * half);
  let sum = 0;
  for (let i = 0; i < weights.length; i += 1) {
    const distance = i - half + 1 - fraction;
    const x = Math.PI * cutoff * distance;
    const window = 0.5 + 0.5 * Math.cos((Math.PI * distance) / (half + 1));
    weights[i] = (x === 0 ? 1 : Math.sin(x) / x) * window;
    sum += weights[i];
  }
  return weights.map((weight) => weight / sum);
}

function greatestCommonDivisor(a, b) {
  return b ? greatestCommonDivisor(b, a % b) : a;
}
