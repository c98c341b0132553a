// The nearest centre of every point. Python's `nearest` answers alike.
//
// A point of a flat area often lies midway between two centres, since pixels lie on a grid; then how float32 rounds
// decides. So what is nearly equal in float64 is asked for again as Python computes it: products and sums fused, in the
// order of the coordinates, and sums in torch's order for eight lanes.

import { squaredDistances } from "./condensation.js";

const EPS = 2 ** -23, f = Math.fround;

// A function that answers for points { n, d, x }, best such that follow one another in an image: it looks first at the
// centre of the point before, then at those around that one. `isExact`: what float32 may have wrong, since it lies at a
// centre, is left to float64.
export function nearestOf(centres, isExact = true) {
  const about = { ...aboutMean(centres), ...around(centres), ...centres }, doubt = 64 * EPS * about.most;
  const { mean } = about, p = new Float32Array(centres.d);
  let before = 0;
  return ({ n, d, x }) => Int32Array.from({ length: n }, (_, i) => {
    for (let k = 0; k < d; k++) p[k] = x[i * d + k] - mean[k];
    const { best, second, least } = byWayOf(about, p, before, doubt);
    before = best;
    return second - least < doubt ? decided(about, x.subarray(i * d, (i + 1) * d), p, isExact, best) : best;
  });
}

// The nearest centre of a point about the mean, its score and the next one's. What lies farther from `start` than the
// point and the best until now together is farther from the point, too.
function byWayOf({ n, d, C, half, order, apart }, p, start, doubt) {
  const size = 2 * halfOf(p), from = Math.sqrt(Math.max(2 * score(C, half, d, p, start) + size, 0));
  let least = Infinity, second = Infinity, best = start, reach = Infinity;
  for (let k = start * n; k < (start + 1) * n && apart[k] <= reach; k++) {
    const j = order[k], a = score(C, half, d, p, j);
    if (a < least || a === least && j < best) {
      second = least;
      least = a;
      best = j;
      reach = (from + Math.sqrt(Math.max(2 * least + size, 0) + 4 * doubt)) * 1.0001;
    } else if (a < second) second = a;
  }
  return { best, second, least };
}

// Half of the squared distance of a point from a centre, but for what is the same for all centres.
function score(C, half, d, p, j) {
  let a = half[j], b = 0, k = 0;
  for (let c = j * d; k + 1 < d; k += 2, c += 2) {
    a -= p[k] * C[c];
    b -= p[k + 1] * C[c + 1];
  }
  return k < d ? a + b - p[k] * C[j * d + k] : a + b;
}

function halfOf(p) {
  let sum = 0;
  for (let k = 0; k < p.length; k++) sum += p[k] * p[k];
  return sum / 2;
}

// Of every centre all centres, the nearest first, and how far they are.
function around({ n, d, x }) {
  const D = squaredDistances({ n, d, x: Float64Array.from(x) }).map(Math.sqrt), order = new Int32Array(n * n);
  for (let i = 0; i < n; i++) {
    const row = D.slice(i * n, (i + 1) * n);
    order.set(Int32Array.from(row, (_, j) => j).sort((a, b) => row[a] - row[b]), i * n);
  }
  return { order, apart: Float64Array.from(order, (j, k) => D[Math.floor(k / n) * n + j]) };
}

// The nearest of centres that are nearly equally near.
function decided({ n, d, x, C, half, most }, point, p, isExact, best) {
  let least = Infinity, first = 0;
  for (let j = 0; j < n; j++) {
    let product = 0;
    for (let k = 0; k < d; k++) product = f(product - p[k] * C[j * d + k]);
    const score = f(product + half[j]);
    if (score < least) {
      least = score;
      first = j;
    }
  }
  if (!isExact) return first;
  let distance = 0;
  for (let k = 0; k < d; k++) distance += (point[k] - x[first * d + k]) ** 2;
  return distance > 0 && distance < 32 * EPS * most ? best : first;
}

// Centres about their mean, and half of their squared sizes, in float32.
function aboutMean({ n, d, x }) {
  const mean = meanOf(x, n, d), C = x.map((v, i) => v - mean[i % d]), half = new Float32Array(n);
  for (let j = 0; j < n; j++) half[j] = alongRow(C.subarray(j * d, (j + 1) * d).map(v => v * v)) / 2;
  return { mean, C, half, most: half.reduce((a, b) => Math.max(a, b), 0) };
}

// The mean of rows: of thirty-two columns at a time row by row, of those left over every fourth row.
function meanOf(x, n, d) {
  const whole = d - d % 32, quarter = n - n % 4;
  return Float32Array.from({ length: d }, (_, k) => {
    if (k < whole) return f(cascade(x, k, d, n) / n);
    const part = Float32Array.from([0, 1, 2, 3], q => cascade(x, k + q * d, 4 * d, quarter / 4));
    for (let i = quarter; i < n; i++) part[0] += x[i * d + k];
    return f(f(f(f(part[0] + part[1]) + part[2]) + part[3]) / n);
  });
}

// The sum of n numbers, sixteen at a time (more of many), and of these sums again.
function cascade(x, from, step, n) {
  const power = Math.max(4, Math.ceil(Math.log2(Math.max(n, 1))) >> 2), size = 1 << power, sums = new Float32Array(4);
  let i = 0;
  while (i + size <= n) {
    for (const end = i + size; i < end; i++) sums[0] += x[from + i * step];
    for (let j = 1; j < 4; j++) {
      sums[j] += sums[j - 1];
      sums[j - 1] = 0;
      if (i & (size - 1) << j * power) break;
    }
  }
  for (; i < n; i++) sums[0] += x[from + i * step];
  return f(f(f(sums[0] + sums[1]) + sums[2]) + sums[3]);
}

// The sum of a row: eight lanes side by side, four of which are added at a time; first the numbers left over.
function alongRow(x) {
  const lanes = x.length >> 3, part = new Float32Array(32), four = lanes - lanes % 4;
  for (let v = 0; v < four; v++) for (let k = 0; k < 8; k++) part[8 * (v % 4) + k] += x[8 * v + k];
  for (let v = four; v < lanes; v++) for (let k = 0; k < 8; k++) part[k] += x[8 * v + k];
  for (let q = 1; q < 4; q++) for (let k = 0; k < 8; k++) part[k] += part[8 * q + k];
  let sum = 0;
  for (let k = 8 * lanes; k < x.length; k++) sum = f(sum + x[k]);
  for (let k = 0; k < 8; k++) sum = f(sum + part[k]);
  return sum;
}
