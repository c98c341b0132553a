// A few hundred weighted points stand for all pixels. Python's `landmarks` answers alike: the same seed draws the same.
// Points are { n, d, x }, x in float32 row by row.
import { nearestOf } from "./nearest.js";
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

// Every centre moves to the mean of the points nearest to it; one without points stays.
function moved(points, centres) {
  const { d, x } = points, index = nearestOf(centres, false)(points), total = new Float32Array(centres.x.length);
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
    const nearest = nearestOf(centres)(points), mass = new Float64Array(centres.n);
    for (const j of nearest) mass[j]++;
    if (mass.every(m => m > 0)) return { centres, nearest, mass };
    centres = rows(centres, Array.from(mass.keys()).filter(j => mass[j] > 0));
  }
}
