// What is condensed of an image's pixels: what they say, beside places. Python's `View` answers alike.

const DRAWN_WEIGHT = 0.5;       // of colours
const SPATIAL_WEIGHT = 1;       // of places
const LITTLE_REGARD = 0.3;      // for places, in parts of their weight

export class View {
  #centre;
  #smallest;
  #factors;

  // Learns the mean of the vectors and the factors from `Z`, `colours` and `places` { n, d, x } of some pixels;
  // `points` is their view, `meaning` what it says of them without colours and places, `aspects` the factors of each
  // way of looking at it.
  constructor({ Z, colours, places }) {
    this.#learn(Z);
    let x = this.meaning = this.#directions(Z);
    const ends = [0, x.d], drawn = shareFactor(DRAWN_WEIGHT, varianceOf(x), varianceOf(colours));
    x = beside(x, colours, drawn);
    ends.push(x.d);
    const place = shareFactor(SPATIAL_WEIGHT, varianceOf(x), 1);
    this.#factors = [drawn, place];
    this.points = beside(x, places, place);
    this.aspects = aspectsOf(this.points, ends);
  }

  // The view of pixels.
  of({ Z, colours, places }) {
    const [drawn, place] = this.#factors;
    return beside(beside(this.#directions(Z), colours, drawn), places, place);
  }

  #learn({ n, d, x }) {
    const mean = new Float64Array(d);
    let square = 0;
    for (let i = 0; i < n * d; i++) {
      mean[i % d] += x[i];
      square += x[i] * x[i];
    }
    this.#centre = Float32Array.from(mean, sum => sum / n);
    this.#smallest = 1e-5 * Math.sqrt(square / n);
  }

  // Vectors of length one relative to their mean; zeros where only rounding is left of them.
  #directions({ n, d, x }) {
    const out = new Float32Array(n * d), squares = new Float32Array(d), centre = this.#centre;
    for (let i = 0, at = 0; i < n; i++, at += d) {
      for (let k = 0; k < d; k++) {
        const v = out[at + k] = Math.fround(x[at + k] - centre[k]);
        squares[k] = v * v;
      }
      const length = Math.fround(Math.sqrt(pairwise(squares))), isSome = length > this.#smallest;
      for (let k = 0; k < d; k++) out[at + k] = isSome ? out[at + k] / length : 0;
    }
    return { n, d, x: out };
  }
}

// The sum of some float32, a multiple of eight of them, in NumPy's order: every eighth, then these eight two by two.
function pairwise(x) {
  const part = x.slice(0, 8);
  for (let k = 8; k < x.length; k++) part[k % 8] += x[k];
  for (let step = 1; step < 8; step *= 2) for (let k = 0; k < 8; k += 2 * step) part[k] += part[k + step];
  return part[0];
}

// The total variance of some columns; 0 where numbers differ by rounding alone.
function varianceOf({ n, d, x }, from = 0, to = d) {
  let variance = 0, square = 0;
  for (let k = from; k < to; k++) {
    let sum = 0, squares = 0;
    for (let i = k; i < n * d; i += d) sum += x[i];
    const mean = sum / n;
    let deviation = 0;
    for (let i = k; i < n * d; i += d) {
      squares += x[i] * x[i];
      deviation += (x[i] - mean) ** 2;
    }
    variance += deviation / n;
    square += squares / n;
  }
  return variance > 1e-10 * square ? variance : 0;
}

const shareFactor = (weight, whole, part) => part > 0 ? Math.fround(Math.sqrt(weight * whole / part)) : 0;

// Numbers beside others, times a factor; nothing is added for a factor of 0.
function beside({ n, d, x }, more, factor) {
  if (!factor) return { n, d, x };
  const all = d + more.d, out = new Float32Array(n * all);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < d; k++) out[i * all + k] = x[i * d + k];
    for (let k = 0; k < more.d; k++) out[i * all + d + k] = more.x[i * more.d + k] * factor;
  }
  return { n, d: all, x: out };
}

// All contents and each alone, with little regard for places, then with all; null where there is but one.
function aspectsOf(x, ends) {
  const blocks = [[ends[0], ends[1]], [ends[1], ends[2]]], share = blocks.map(([from, to]) => varianceOf(x, from, to));
  const contents = [0, 1].filter(i => share[i]);
  if (contents.length < 2) return null;
  const regards = x.d > ends[2] ? [LITTLE_REGARD, 1] : [1];
  return regards.flatMap(regard => [contents, [0], [1]].map(chosen => {
    const row = new Float64Array(x.d), part = chosen.reduce((sum, i) => sum + share[i], 0);
    for (const i of chosen) row.fill(1, ...blocks[i]);
    return row.fill(Math.sqrt(regard * part / (share[0] + share[1])), ends[2]);
  }));
}
