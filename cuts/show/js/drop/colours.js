// The colours of an image without their grain. Python's `even_colours` answers alike, by scikit-image; every number is
// rounded to float32 where NumPy rounds it, since a last digit can decide between two landmarks.

const WEIGHT = 0.05;      // how much grain is given up
const EPSILON = 2e-4;     // how little the cost may change at the end, in parts of that at the beginning
const MOST = 200;         // iterations
const f = Math.fround;
const RGB_TO_XYZ = [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]]
  .map(row => row.map(f));
const WHITE = [0.95047, 1, 1.08883].map(f);

// Of an image with values in [-1, 1] the colours [pixels, channels], about 0 to 1; of three channels as CIELAB. `tell`
// hears which part is done.
export function evenColours({ height, width, channels, values }, tell = () => {}) {
  const n = height * width, out = new Float32Array(n * channels), x = values.map(v => v / 2 + 0.5);
  if (channels === 3) toLab(x);
  for (let c = 0; c < channels; c++) {
    const even = withoutGrain(x.filter((_, i) => i % channels === c), height, width);
    tell((c + 1) / channels);
    for (let i = 0; i < n; i++) out[i * channels + c] = even[i];
  }
  return out;
}

// Colours as CIELAB, in hundredths, in place.
function toLab(x) {
  for (let i = 0; i < x.length; i += 3) {
    const linear = [0, 1, 2].map(c => {
      const v = x[i + c];
      return f(v > f(0.04045) ? f(f(v + f(0.055)) / f(1.055)) ** f(2.4) : v / f(12.92));
    });
    const [a, b, c] = RGB_TO_XYZ.map((row, k) => {
      const v = f(row.reduce((sum, w, j) => f(sum + w * linear[j]), 0) / WHITE[k]);
      return f(v > f(0.008856) ? Math.cbrt(v) : f(f(7.787) * v) + f(16 / 116));
    });
    x[i] = f(f(116 * b) - 16) / 100;
    x[i + 1] = f(500 * f(a - b)) / 100;
    x[i + 2] = f(200 * f(b - c)) / 100;
  }
}

// Total variation is made small (Chambolle 2004), which leaves edges.
function withoutGrain(image, height, width) {
  const n = height * width, down = new Float32Array(n), along = new Float32Array(n);      // the dual variables
  let even = image.slice(), first = 0, before = 0;
  for (let round = 0; round < MOST; round++) {
    let cost = round ? diverge(image, even, down, along, width) : 0;
    cost = (cost + ascend(even, down, along, width)) / n;
    if (!round) first = cost;
    else if (Math.abs(before - cost) < EPSILON * first) break;
    before = cost;
  }
  return even;
}

// The image less the divergence of the dual variables; returns how much that is, squared.
function diverge(image, even, down, along, width) {
  let square = 0;
  for (let i = 0, x = 0; i < image.length; i++, x = x + 1 === width ? 0 : x + 1) {
    let change = -f(down[i] + along[i]);
    if (i >= width) change = f(change + down[i - width]);
    if (x) change = f(change + along[i - 1]);
    even[i] = image[i] + change;
    square += change * change;
  }
  return square;
}

// A step of the dual variables; returns the weighted total variation.
function ascend(even, down, along, width) {
  const n = even.length, step = 0.25;
  let total = 0;
  for (let i = 0, x = 0; i < n; i++, x = x + 1 === width ? 0 : x + 1) {
    const below = i + width < n ? f(even[i + width] - even[i]) : 0;
    const beside = x + 1 < width ? f(even[i + 1] - even[i]) : 0;
    const norm = f(Math.sqrt(f(f(below * below) + f(beside * beside)))), scale = f(1 + f(norm * (step / WEIGHT)));
    total += norm;
    down[i] = f(down[i] - step * below) / scale;
    along[i] = f(along[i] - step * beside) / scale;
  }
  return WEIGHT * total;
}
