// What is condensed of an image's pixels: what they say, beside places. Python's `View` answers alike.

const DRAWN_WEIGHT = 0.5;       // of colours
const SPATIAL_WEIGHT = 1;       // of places
const LITTLE_REGARD = 0.3;      // for places, in parts of their weight

// The view { n, d, x } of all pixels, where its parts end, and the factors of each way of looking at it.
export function viewOf(prior, dim, colours, channels, { height, width }) {
  const n = height * width, meaning = directions({ n, d: dim, x: prior });
  let x = meaning, ends = [dim];
  const drawn = { n, d: channels, x: colours }, factor = shareFactor(DRAWN_WEIGHT, varianceOf(x), varianceOf(drawn));
  if (factor) x = beside(x, drawn, factor);
  ends = [0, dim, x.d];
  const place = shareFactor(SPATIAL_WEIGHT, varianceOf(x), 1);
  if (place) x = beside(x, places(height, width), place);
  return { points: x, meaning, aspects: aspectsOf(x, ends) };
}

// Vectors of length one relative to their mean; zeros where only rounding is left of them.
function directions({ n, d, x }) {
  const mean = new Float64Array(d), out = new Float32Array(n * d);
  let square = 0;
  for (let i = 0; i < n * d; i++) {
    mean[i % d] += x[i];
    square += x[i] * x[i];
  }
  const centre = Float32Array.from(mean, sum => sum / n), smallest = 1e-5 * Math.sqrt(square / n);
  for (let i = 0; i < n; i++) {
    const squares = new Float32Array(d);
    for (let k = 0; k < d; k++) {
      const v = out[i * d + k] = Math.fround(x[i * d + k] - centre[k]);
      squares[k] = v * v;
    }
    const length = Math.fround(Math.sqrt(pairwise(squares)));
    for (let k = 0; k < d; k++) out[i * d + k] = length > smallest ? out[i * d + k] / length : 0;
  }
  return { n, d, x: out };
}

// The sum of some float32, a multiple of eight of them, in NumPy's order: every eighth, then these eight two by two.
function pairwise(x) {
  const part = x.slice(0, 8);
  for (let k = 8; k < x.length; k++) part[k % 8] += x[k];
  for (let step = 1; step < 8; step *= 2) for (let k = 0; k < 8; k += 2 * step) part[k] += part[k + step];
  return part[0];
}

// Where pixels are, of mean 0 and total variance 1.
function places(height, width) {
  const scale = Math.max(Math.sqrt((height ** 2 + width ** 2 - 2) / 12), 1e-30);
  const x = new Float32Array(2 * height * width);
  for (let i = 0; i < height * width; i++) {
    x[2 * i] = (Math.floor(i / width) - (height - 1) / 2) / scale;
    x[2 * i + 1] = (i % width - (width - 1) / 2) / scale;
  }
  return { n: height * width, d: 2, x };
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

function beside({ n, d, x }, more, factor) {
  const all = d + more.d, out = new Float32Array(n * all);
  for (let i = 0; i < n; i++) {
    out.set(x.subarray(i * d, (i + 1) * d), i * all);
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
