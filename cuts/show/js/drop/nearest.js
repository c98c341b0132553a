// The nearest centre of every point. Python's `nearest` answers alike.
//
// A point of a flat area often lies between two centres on the same pixels of a grid, as far from one as from the other;
// then the rounding of float32 decides. So what is nearly equal in float64 is asked for again as Python computes it:
// products and sums fused, in the order of the coordinates, and sums in torch's order for eight lanes.

const EPS = 2 ** -23, f = Math.fround;

// `isExact`: what float32 may have wrong, since it lies at a centre, is left to float64.
export function nearestOf({ n, d, x }, centres, isExact = true) {
  const about = aboutMean(centres), { mean, C, half } = about, m = centres.n, index = new Int32Array(n);
  const p = new Float32Array(d), most = half.reduce((a, b) => Math.max(a, b), 0), doubt = 64 * EPS * most;
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < d; k++) p[k] = x[i * d + k] - mean[k];
    let least = Infinity, second = Infinity, best = 0;
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
        second = least;
        least = a;
        best = j;
      } else if (a < second) second = a;
    }
    index[i] = second - least < doubt ? decided(x, i, centres, about, p, isExact, best) : best;
  }
  return index;
}

// The nearest of centres that are nearly equally near.
function decided(x, i, centres, { C, half, most }, p, isExact, best) {
  const { n: m, d } = centres;
  let least = Infinity, first = 0;
  for (let j = 0; j < m; j++) {
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
  for (let k = 0; k < d; k++) distance += (x[i * d + k] - centres.x[first * d + k]) ** 2;
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
