// A few hundred weighted points stand for all pixels. Python's `landmarks` answers alike: the same seed draws the same.
// Points are { n, d, x }, x in float32 row by row.
import { Twister } from "./random.js";

export const SEED = 209652396;    // what scikit-learn's check_random_state(0) hands on
const ROUNDS = 3;                 // of Lloyd's iteration

// At most `wanted` centres { n, d, x }, the nearest of each point, and how many points each has.
export function landmarks(points, wanted) {
  const { first, which, mass } = distinct(points);
  if (first.length <= wanted) return { centres: rows(points, first), nearest: which, mass };
  let centres = rows(points, drawn(mass, wanted).map(i => first[i]));
  const part = enough(points, wanted);
  for (let round = 0; round < ROUNDS; round++) centres = moved(part, centres);
  return tied(points, centres);
}

export function rows({ d, x }, chosen) {
  const out = new Float32Array(chosen.length * d);
  for (let i = 0; i < chosen.length; i++) out.set(x.subarray(chosen[i] * d, (chosen[i] + 1) * d), i * d);
  return { n: chosen.length, d, x: out };
}

// Where each distinct point first occurs, which one each point is, and how often it occurs; found by a hash.
function distinct({ n, d, x }) {
  const bits = new Uint32Array(x.map(v => v + 0).buffer), known = new Map(), first = [], mass = [];
  const which = new Int32Array(n);
  for (let i = 0; i < n; i++) {
    let a = 0x811c9dc5, b = 0x2545f491;
    for (let k = i * d; k < (i + 1) * d; k++) {
      a = Math.imul(a ^ bits[k], 0x01000193);
      a ^= a >>> 15;
      b = Math.imul(b + bits[k] | 0, 0x9e3779b1);
      b ^= b >>> 13;
    }
    const key = (a >>> 0) * 2 ** 21 + (b >>> 11);
    if (!known.has(key)) {
      known.set(key, first.length);
      first.push(i);
      mass.push(0);
    }
    mass[which[i] = known.get(key)]++;
  }
  return { first, which, mass: Float64Array.from(mass) };
}

// A weighted sample: those whose exponential waiting times end first (Efraimidis & Spirakis 2006).
export function drawn(mass, wanted) {
  const random = new Twister(SEED), wait = Float64Array.from(mass, w => -Math.log1p(-random.uniform()) / w);
  const order = Int32Array.from(mass, (_, i) => i).sort((i, j) => wait[i] - wait[j]);
  return order.slice(0, wanted).sort();
}

// All points, or a random part of many, in their order.
function enough(points, wanted) {
  const some = Math.max(2 ** 13, 16 * wanted);
  return points.n <= some ? points : rows(points, new Twister(SEED).permutation(points.n, some).sort());
}

// The nearest centre of every point.
export function nearestOf({ n, d, x }, centres) {
  const { mean, C, half } = aboutMean(centres), m = centres.n, index = new Int32Array(n), p = new Float64Array(d);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < d; k++) p[k] = x[i * d + k] - mean[k];
    let least = Infinity, best = 0;
    for (let j = 0, c = 0; j < m; j++) {
      let a = half[j], b = 0;
      const end = c + d;
      let k = 0;
      for (; c + 1 < end; c += 2, k += 2) {
        a -= p[k] * C[c];
        b -= p[k + 1] * C[c + 1];
      }
      if (c < end) a -= p[k] * C[c++];
      a += b;
      if (a < least) {
        least = a;
        best = j;
      }
    }
    index[i] = best;
  }
  return index;
}

// Centres about their mean, and half of their squared sizes.
function aboutMean({ n, d, x }) {
  const mean = new Float64Array(d), C = Float64Array.from(x), half = new Float64Array(n);
  for (let i = 0; i < n * d; i++) mean[i % d] += x[i] / n;
  for (let i = 0; i < n * d; i++) {
    C[i] -= mean[i % d];
    half[Math.floor(i / d)] += C[i] * C[i] / 2;
  }
  return { mean, C, half };
}

// Every centre moves to the mean of the points nearest to it; one without points stays.
function moved(points, centres) {
  const { d, x } = points, index = nearestOf(points, centres), total = new Float32Array(centres.x.length);
  const mass = new Float64Array(centres.n);
  for (let i = 0; i < points.n; i++) {
    mass[index[i]]++;
    for (let k = 0; k < d; k++) total[index[i] * d + k] += x[i * d + k];
  }
  const at = centres.x.map((old, i) => mass[Math.floor(i / d)] ? total[i] / mass[Math.floor(i / d)] : old);
  return { ...centres, x: at };
}

// The nearest centre of every point, without the centres that are nobody's.
function tied(points, centres) {
  for (;;) {
    const nearest = nearestOf(points, centres), mass = new Float64Array(centres.n);
    for (const j of nearest) mass[j]++;
    if (mass.every(m => m > 0)) return { centres, nearest, mass };
    centres = rows(centres, Array.from(mass.keys()).filter(j => mass[j] > 0));
  }
}
