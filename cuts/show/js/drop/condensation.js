// Diffusion condensation in float64. Python's `condense` answers alike.

const DOUBLING = 28;         // steps in which the bandwidth doubles
const CLOSENESS = 0.1;       // points closer than this part of its root merge
const EPS = 2 ** -52;

// Points { n, d, x } of some mass flow together until one is left: merges [absorbed, heir] in order, and their times.
export function condense(points, mass) {
  const merges = [], times = [];
  let state = { ...scaled(points), mass: Float64Array.from(mass), name: Int32Array.from(mass, (_, i) => i) };
  let D = squaredDistances(state);
  const first = firstBandwidth(D, state.n);
  for (let step = 0; state.n > 1;) {
    const epsilon = first * 2 ** (step / DOUBLING);
    state.x = diffused(state, D, epsilon);
    D = squaredDistances(state);
    const group = groups(D, state.n, CLOSENESS ** 2 * epsilon);
    step++;
    if (!group) continue;
    const absorbed = merge(state, group);
    merges.push(...absorbed.merges);
    for (let i = 0; i < absorbed.merges.length; i++) times.push(step / DOUBLING);
    state = absorbed.state;
    D = squaredDistances(state);
  }
  return { merges, times };
}

// About their mean, the largest number 1; without the coordinates in which all are alike.
function scaled({ n, d, x }) {
  const mean = new Float64Array(d), most = new Float64Array(d);
  for (let i = 0; i < n * d; i++) mean[i % d] += x[i];
  for (let i = 0; i < n * d; i++) most[i % d] = Math.max(most[i % d], Math.abs(x[i] - mean[i % d] / n));
  const kept = Array.from(most.keys()).filter(k => most[k] > 0), top = Math.max(1e-300, ...most);
  const out = new Float64Array(n * kept.length);
  for (let i = 0, o = 0; i < n; i++) for (const k of kept) out[o++] = (x[i * d + k] - mean[k] / n) / top;
  return { n, d: kept.length, x: out };
}

// [n, n]; what lies below the rounding of the sizes is exactly 0.
export function squaredDistances({ n, d, x }) {
  const D = new Float64Array(n * n), size = new Float64Array(n), mean = new Float64Array(d);
  for (let i = 0; i < n * d; i++) mean[i % d] += x[i] / n;
  for (let i = 0; i < n; i++) for (let k = 0; k < d; k++) size[i] += (x[i * d + k] - mean[k]) ** 2;
  for (let i = 1; i < n; i++)
    for (let j = 0; j < i; j++) {
      let sum = 0;
      for (let k = 0, a = i * d, b = j * d; k < d; k++, a++, b++) sum += (x[a] - x[b]) * (x[a] - x[b]);
      if (sum > 4 * EPS * (size[i] + size[j])) D[i * n + j] = D[j * n + i] = sum;
    }
  return D;
}

// The median squared distance to the nearest neighbour; 1 where all points are one.
function firstBandwidth(D, n) {
  const least = new Float64Array(n).fill(Infinity);
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) if (i !== j) least[i] = Math.min(least[i], D[i * n + j]);
  const positive = least.filter(v => v > 0 && v < Infinity).sort();
  return positive.length ? positive[positive.length - 1 >> 1] : 1;
}

// Every point goes to the mean of all, weighted by how near and how heavy they are.
function diffused({ n, d, x, mass }, D, epsilon) {
  const K = new Float64Array(n * n), out = new Float64Array(n * d);
  for (let i = 0; i < n; i++) {
    K[i * n + i] = 1;
    for (let j = 0; j < i; j++) K[i * n + j] = K[j * n + i] = Math.exp(-D[i * n + j] / epsilon);
  }
  for (let i = 0; i < n; i++) {
    let total = 0;
    const to = i * d;
    for (let j = 0; j < n; j++) {
      const w = K[i * n + j] * mass[j];
      if (w < 1e-300) continue;
      total += w;
      for (let k = 0, from = j * d; k < d; k++) out[to + k] += w * x[from + k];
    }
    for (let k = 0; k < d; k++) out[to + k] /= total;
  }
  return out;
}

// The group of each point, of those that hang together by close pairs, in the order of their first points; null if no
// pair is close.
function groups(D, n, reach) {
  const group = new Int32Array(n).fill(-1), queue = new Int32Array(n);
  let count = 0;
  for (let start = 0; start < n; start++) {
    if (group[start] >= 0) continue;
    let end = 0;
    group[queue[end++] = start] = count;
    for (let k = 0; k < end; k++)
      for (let j = 0, row = queue[k] * n; j < n; j++)
        if (group[j] < 0 && D[row + j] < reach) group[queue[end++] = j] = count;
    count++;
  }
  return count < n ? { of: group, count } : null;
}

// The heaviest of a group gives it its name, the others are absorbed, lightest first.
function merge({ n, d, x, mass, name }, { of, count }) {
  const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => mass[i] - mass[j]);     // stable
  const heir = new Int32Array(count), total = new Float64Array(count), sums = new Float64Array(count * d);
  for (const i of order) heir[of[i]] = i;
  const merges = order.filter(i => heir[of[i]] !== i).map(i => [name[i], name[heir[of[i]]]]);
  for (let i = 0; i < n; i++) {
    total[of[i]] += mass[i];
    for (let k = 0; k < d; k++) sums[of[i] * d + k] += x[i * d + k] * mass[i];
  }
  for (let i = 0; i < count * d; i++) sums[i] /= total[Math.floor(i / d)];
  return { merges, state: { n: count, d, x: sums, mass: total, name: Int32Array.from(heir, i => name[i]) } };
}
