// The network that has seen only drawings, and what it says of an image. Python's `prior_vectors` answers alike.
import { continued, convolve, doubledBeside, folded, halved, picture } from "./convolution.js";
import { shown } from "./resize.js";
import { readTensors } from "./safetensors.js";
import { evened, flatZones } from "./zones.js";

const TAIL = 0.005;     // part of the values at each end that is cut off
export const SIDE = 256;      // pixels of the longer side, at which the network sees an image

export class Prior {
  // `buffer`: the file that comes with the package.
  constructor(buffer) {
    const { tensors, facts: { widths, dim } } = readTensors(buffer);
    const of = name => Object.fromEntries(["weight", "bias", "running_mean", "running_var"].map(
      part => [part, tensors[`${name}.${part}`].values]));
    const layers = (name, count) => Array.from({ length: count }, (_, i) =>
      folded(tensors[`${name}.${3 * i}.weight`], of(`${name}.${3 * i + 1}`)));
    this.down = widths.map((_, i) => layers(`down.${i}`, 2));
    this.up = widths.slice(1).map((_, i) => layers(`up.${i}`, i < 3 ? 2 : 1));
    this.last = { weights: tensors["vector.weight"].values, bias: tensors["vector.bias"].values };
    this.dim = dim;
  }

  // Of every pixel of a picture of three channels a vector of length one, [pixels, dim]; `tell` hears which part is
  // done.
  vectors(image, tell = () => {}) {
    const { height, width } = image, step = 2 ** this.up.length, over = size => (step - size % step) % step;
    let x = continued(image, 0, 0, over(height), over(width));
    const scales = [];
    for (const layers of this.down) {
      x = layers.reduce(convolve, scales.length ? halved(x) : x);
      scales.push(x);
      tell(0.4 * scales.length / this.down.length);
    }
    for (let i = this.up.length - 1; i >= 0; i--) {
      x = this.up[i].reduce(convolve, doubledBeside(x, scales[i]));
      tell(1 - 0.6 * i / this.up.length);
    }
    return this.#directions(x, height, width);
  }

  #directions(x, height, width) {
    const { dim, last: { weights, bias } } = this, Z = new Float32Array(height * width * dim), n = x.channels;
    const vector = new Float64Array(dim);
    for (let row = 0; row < height; row++)
      for (let column = 0; column < width; column++) {
        const from = (row * x.width + column) * n;
        let square = 0;
        for (let k = 0; k < dim; k++) {
          let sum = bias[k];
          for (let c = 0; c < n; c++) sum += weights[k * n + c] * x.values[from + c];
          vector[k] = sum;
          square += sum * sum;
        }
        const length = Math.max(Math.sqrt(square), 1e-12), to = (row * width + column) * dim;
        for (let k = 0; k < dim; k++) Z[to + k] = vector[k] / length;
      }
    return Z;
  }
}

// What the prior says of an image { height, width, channels, values in [-1, 1] }, as a picture of its vectors, with no
// more than 256 pixels a side; pixels of a flat zone say the same.
export function priorVectors(prior, image, tell) {
  const small = shown(stretched(image), SIDE), Z = prior.vectors(small, tell);
  return picture(small.height, small.width, prior.dim, evened(Z, prior.dim, flatZones(small)));
}

// An image of three channels whose values fill their range but for a few; grey is shown three times.
export function stretched({ height, width, channels, values }) {
  const n = height * width, out = picture(height, width, 3);
  for (let i = 0; i < n; i++)
    for (let c = 0; c < 3; c++) out.values[3 * i + c] = values[channels * i + (channels === 3 ? c : 0)];
  const sorted = someOf(out.values, n).sort(), low = quantile(sorted, TAIL), high = quantile(sorted, 1 - TAIL);
  const range = Math.max(high - low, 2e-3);
  for (let i = 0; i < 3 * n; i++) out.values[i] = 2 * Math.min(Math.max((out.values[i] - low) / range, 0), 1) - 1;
  return out;
}

// The numbers that are sorted: all, or of more than a million some, the first channel before the second.
function someOf(values, n) {
  const step = Math.max(1, Math.floor(3 * n / 2 ** 20));
  return Float32Array.from({ length: Math.ceil(3 * n / step) }, (_, i) => {
    const k = i * step, channel = Math.floor(k / n);
    return values[3 * (k - channel * n) + channel];
  });
}

function quantile(sorted, part) {
  const place = part * (sorted.length - 1), first = Math.floor(place), a = sorted[first];
  const b = sorted[Math.min(first + 1, sorted.length - 1)];
  return a + (place - first) * Math.fround(b - a);
}
