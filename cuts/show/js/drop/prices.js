// Which levels a tree should have, if every region has its price. Python's `scale_set` answers alike.
import { childrenOf, fromMerges, labels, nodesOf, sumUp } from "./tree.js";

const LOWEST_PRICE = 2 ** -11;
const PRICE = 0.004;

// The same nodes, meeting in the order of the prices from which on they are left whole: the tree, and the number in it
// of each leaf. `judged` { n, d, x } is what should be even; `leaf` that of each pixel; `pairs` of `neighbours`.
export function scaleSet(tree, leaf, judged, pairs) {
  const nodes = nodesOf(tree), moments = momentsOf(nodes, tree.n, leaf, judged);
  const cost = unevenness(moments, judged.n);
  const weight = cutWeights(nodes, tree.n, leaf, judged, pairs, moments);
  const price = nodePrices(nodes.parent, cost, weight).subarray(tree.n), children = childrenOf(nodes.parent);
  const order = Array.from(price.keys()).sort((a, b) => price[a] - price[b]);
  const merges = order.map(i => {
    const heir = nodes.region[tree.n + i], [a, b] = children[i].map(v => nodes.region[v]);
    return [a + b - heir, heir];
  });
  return fromMerges(merges, order.map(i => Math.log2(Math.max(price[i] / LOWEST_PRICE, 1))), tree.mass);
}

// The region of each leaf in the cheapest partition at the usual price.
export function worthRegions(tree) {
  const time = Math.log2(PRICE / LOWEST_PRICE);
  return labels(tree, tree.death.reduce((count, death) => count + (death > time), 0));
}

// Of every node the number of its points, their mean, and the sum of their squared distances from it.
function momentsOf({ parent, m }, n, leaf, { n: count, d, x }) {
  const width = d + 2, sums = new Float64Array(n * width), mean = new Float64Array(d);
  for (let i = 0; i < count; i++) for (let k = 0; k < d; k++) mean[k] += x[i * d + k];
  for (let i = 0; i < count; i++) {
    const to = leaf[i] * width;
    sums[to]++;
    for (let k = 0; k < d; k++) {
      const v = x[i * d + k] - mean[k] / count;
      sums[to + 1] += v * v;
      sums[to + 2 + k] += v;
    }
  }
  const total = sumUp(parent, sums, width), number = new Float64Array(m), means = new Float64Array(m * d);
  const scatter = new Float64Array(m);
  for (let v = 0; v < m; v++) {
    number[v] = total[v * width];
    let square = 0;
    for (let k = 0; k < d; k++) {
      means[v * d + k] = total[v * width + 2 + k] / Math.max(number[v], 1);
      square += means[v * d + k] ** 2;
    }
    scatter[v] = Math.max(total[v * width + 1] - number[v] * square, 0);
  }
  return { number, means, scatter };
}

// What every node costs as a region: its share times its deviation.
function unevenness({ number, scatter }, count) {
  const whole = Math.max(scatter[scatter.length - 1], 2.2250738585072014e-308);
  return scatter.map((s, v) => Math.sqrt(number[v] / count * s / whole));
}

// The node at which two leaves meet.
function meeting(parent, a, b) {
  while (a !== b) if (a < b) a = parent[a]; else b = parent[b];
  return a;
}

// What a cut costs at every node, by how sharp its border is; 1 for leaves.
function cutWeights({ parent, m }, n, leaf, { d, x }, pairs, { means }) {
  const contrast = new Float64Array(m), touching = new Float64Array(m), known = new Map();
  for (let p = 0; p < pairs.first.length; p++) {
    const i = pairs.first[p], j = pairs.second[p], a = Math.min(leaf[i], leaf[j]), b = Math.max(leaf[i], leaf[j]);
    if (a === b) continue;
    if (!known.has(a * n + b)) known.set(a * n + b, meeting(parent, a, b));
    const v = known.get(a * n + b);
    contrast[v] += distance(x, i * d, x, j * d, d);
    touching[v]++;
  }
  const weight = new Float64Array(m).fill(1);
  childrenOf(parent).forEach(([left, right], i) => {
    const difference = distance(means, left * d, means, right * d, d), v = n + i;
    if (!touching[v] || !difference) return;
    weight[v] = Math.min(Math.max(contrast[v] / touching[v] / difference, 0.05), 1) ** -0.5;
  });
  return weight;
}

function distance(x, i, y, j, d) {
  let square = 0;
  for (let k = 0; k < d; k++) square += (x[i + k] - y[j + k]) ** 2;
  return Math.sqrt(square);
}

// The lowest price at which a node, or one that holds it, is left whole in the cheapest partition; 0 for leaves.
export function nodePrices(parent, cost, weight) {
  const n = (parent.length + 1) / 2, whole = new Float64Array(parent.length);
  const best = Array.from({ length: n }, (_, v) => [[0, cost[v], 0]]);     // rows: from which price on, cost, cuts
  childrenOf(parent).forEach(([left, right], i) => {
    const v = n + i, parts = together(best[left], best[right], weight[v]);
    best[left] = best[right] = null;
    const equal = parts.map(([price, total, cuts]) => Math.max((cost[v] - total) / cuts, price));
    const row = equal.findIndex((at, k) => at < (k + 1 < parts.length ? parts[k + 1][0] : Infinity));
    whole[v] = equal[row];
    best[v] = [...parts.filter(([price]) => price < whole[v]), [whole[v], cost[v], 0]];
  });
  for (let v = parent.length - 2; v >= n; v--) whole[v] = Math.min(whole[v], whole[parent[v]]);
  return whole;
}

// The cheapest partition of two nodes with the cut between them, from each price on.
function together(left, right, cut) {
  const rows = [];
  let i = 0, j = 0;
  for (;;) {
    rows.push([Math.max(left[i][0], right[j][0]), left[i][1] + right[j][1], left[i][2] + right[j][2] + cut]);
    const a = i + 1 < left.length ? left[i + 1][0] : Infinity, b = j + 1 < right.length ? right[j + 1][0] : Infinity;
    if (a === Infinity && b === Infinity) return rows;
    if (a <= b) i++;
    if (b <= a) j++;
  }
}
