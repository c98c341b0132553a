// The network of hints: relations of leaves to marks become probabilities. Python's `HintNetwork` answers alike, which
// notebook 41a checks. A matrix is a Float64Array, row after row, with its number of rows beside it.
import { asNumbers } from "./numbers.js";

const ROUNDS = 3;
const FOUR = 4;
export const N_RELATIONS = 18;
export const N_KNOWN = 8;

// One entry for each row: the largest of each column over some matrices of equal shape.
function largest(matrices) {
  const most = matrices[0].slice();
  for (const other of matrices.slice(1))
    for (let i = 0; i < most.length; i++) if (other[i] > most[i]) most[i] = other[i];
  return most;
}

// Matrices of as many rows, side by side.
function beside(rows, parts) {
  const width = parts.reduce((total, part) => total + part.length / rows, 0), joined = new Float64Array(rows * width);
  let start = 0;
  for (const part of parts) {
    const columns = part.length / rows;
    for (let i = 0; i < rows; i++) joined.set(part.subarray(i * columns, (i + 1) * columns), i * width + start);
    start += columns;
  }
  return joined;
}

// Where the first weight of an output stands among those of a layer with m inputs.
const fourth = (j, m) => (j - j % FOUR) * m + j % FOUR;

// A layer as `#layer` reads it: four outputs at a time, since one sum would have to wait for its last addition.
function pack(weight, bias) {
  const n = bias.length, m = weight.length / n, packed = new Float64Array(Math.ceil(n / FOUR) * FOUR * m);
  for (let j = 0; j < n; j++)
    for (let k = 0, b = fourth(j, m); k < m; k++, b += FOUR) packed[b] = weight[j * m + k];
  return { packed, m, bias };
}

export class HintNetwork {
  #layers = {};
  #none;                  // what is thought of negative marks where there are none

  // `weights`: arrays with their shapes, by their names.
  constructor(weights) {
    const ends = ".weight", names = Object.keys(weights).filter(name => name.endsWith(ends));
    for (const name of names.map(name => name.slice(0, -ends.length)))
      this.#layers[name] = pack(asNumbers(weights[name + ends]), asNumbers(weights[`${name}.bias`]));
    this.#none = asNumbers(weights.none);
    this.width = this.#none.length;
  }

  // A linear layer, with nothing below zero if `positive`. `shared`: the last inputs, where all rows have the same.
  #layer(name, x, rows, { positive = false, shared = [] } = {}) {
    const { packed, m, bias } = this.#layers[name], n = bias.length, own = m - shared.length;
    const made = new Float64Array(rows * n), start = new Float64Array(packed.length / m);
    start.set(bias);
    for (let j = 0; j < n; j++)
      for (let k = own, b = fourth(j, m) + FOUR * own; k < m; k++, b += FOUR) start[j] += shared[k - own] * packed[b];
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < n; j += FOUR) {
        let s = start[j], t = start[j + 1], u = start[j + 2], v = start[j + 3];
        for (let k = 0, a = i * own, b = j * m; k < own; k++, a++, b += FOUR) {
          const y = x[a];
          s += y * packed[b];
          t += y * packed[b + 1];
          u += y * packed[b + 2];
          v += y * packed[b + 3];
        }
        const at = i * n + j;
        made[at] = s;
        if (j + 1 < n) made[at + 1] = t;
        if (j + 2 < n) made[at + 2] = u;
        if (j + 3 < n) made[at + 3] = v;
      }
    return positive ? made.map(y => y < 0 ? 0 : y) : made;
  }

  #twoLayers(name, x, rows, positive = false) {
    return this.#layer(`${name}.2`, this.#layer(`${name}.0`, x, rows, { positive: true }), rows, { positive });
  }

  // What is thought of every leaf before it has heard of others. `positive`, `negative`, `last`: relations to marks,
  // [n, 18] each; `known`: [n, 8], whose last two columns are the sign of the last stroke and the answer before it.
  leaves({ positive, negative, last, known }) {
    const n = known.length / N_KNOWN, none = this.#none;
    const signed = new Float64Array(2 * n);
    for (let i = 0; i < n; i++) signed.set(known.subarray(i * N_KNOWN + N_KNOWN - 2, (i + 1) * N_KNOWN), 2 * i);
    const against = negative.length
      ? largest(negative.map(x => this.#twoLayers("negative", x, n)))
      : Float64Array.from({ length: n * none.length }, (_, i) => none[i % none.length]);
    const parts = [
      largest(positive.map(x => this.#twoLayers("positive", x, n))),
      against,
      largest(last.map(x => this.#twoLayers("last", beside(n, [x, signed]), n))),
      known,
    ];
    return this.#twoLayers("leaf", beside(n, parts), n, true);
  }

  // The probability of every leaf. `pairs`: leaves that touch, all first ones and then all second ones; `heard`: how
  // much they hear of each other, [m, 3]; `share`: the part of the image that each leaf is.
  probabilities(state, { pairs, heard, share }) {
    const n = share.length, { width } = this;
    for (let k = 0; k < ROUNDS; k++) {
      const near = neighbourhood(state, width, pairs, heard, k), shared = summary(state, width, share);
      const told = this.#layer(`rounds.${k}`, beside(n, [state, near]), n, { positive: true, shared });
      state = state.map((x, i) => x + told[i]);
    }
    return this.#layer("out", state, n).map(x => 1 / (1 + Math.exp(-x)));
  }
}

// What every leaf hears of those that it touches, on average.
function neighbourhood(state, width, pairs, heard, k) {
  const n = state.length / width, m = pairs.length / 2;
  const near = new Float64Array(state.length), total = new Float64Array(n);
  for (let e = 0; e < m; e++) {
    const weight = heard[e * ROUNDS + k];
    for (const [to, from] of [[pairs[e], pairs[m + e]], [pairs[m + e], pairs[e]]]) {
      total[to] += weight;
      for (let j = 0; j < width; j++) near[to * width + j] += weight * state[from * width + j];
    }
  }
  return near.map((x, i) => x / (total[Math.floor(i / width)] + 1e-6));
}

// Mean and maximum of all leaves.
function summary(state, width, share) {
  const mean = new Float64Array(width), most = new Float64Array(width).fill(-Infinity);
  for (let i = 0; i < share.length; i++)
    for (let j = 0; j < width; j++) {
      const x = state[i * width + j];
      mean[j] += share[i] * x;
      if (x > most[j]) most[j] = x;
    }
  return beside(1, [mean, most]);
}
