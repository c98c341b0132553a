// An image becomes a tree of regions, as `cuts.segment(image)` does it in Python.
import { evenColours } from "./colours.js";
import { condense, squaredDistances } from "./condensation.js";
import { consensus } from "./consensus.js";
import { Content } from "./content.js";
import { landmarks, rows } from "./landmarks.js";
import { nearestOf } from "./nearest.js";
import { neighbours } from "./neighbours.js";
import { scaleSet, worthRegions } from "./prices.js";
import { priorVectors } from "./prior.js";
import { sampled } from "./random.js";
import { fromMerges, salientLevels } from "./tree.js";
import { View } from "./view.js";

const LANDMARKS = 500;
const ROWS = 32;                // of an image that are looked at together

// `image`: { height, width, channels: 1 or 3, values in [-1, 1] }; `tell(step, part)` hears of every step before it
// begins, and in long ones which part of it is done.
export function segment(image, prior, tell = () => {}) {
  tell("looking at it with the network");
  const grid = priorVectors(prior, image, part => tell("looking at it with the network", part));
  tell("evening out its colours");
  const content = new Content(image, grid, evenColours(image, part => tell("evening out its colours", part)));
  tell("choosing landmarks");
  const sample = sampled(image.height * image.width), view = new View(content.of(sample));
  const chosen = inOrder(landmarks(view.points, LANDMARKS)), { merges, times } = agreed(chosen, view, tell);
  tell("pricing regions");
  const first = fromMerges(merges, times, chosen.mass), leaf = chosen.nearest.map(i => first.leaf[i]);
  const pairs = neighbours(sample, image.width);
  const { tree, leaf: renamed } = scaleSet(first.tree, leaf, view.meaning, pairs);
  const centres = rows(chosen.centres, inverse(first.leaf)), isWhole = sample.length === image.height * image.width;
  const map = isWhole ? leaf : leavesOf(content, view, centres, tell);
  return {
    tree, map: Uint16Array.from(map, i => renamed[i]), levels: salientLevels(tree), persistent: worthRegions(tree),
    landmarks: rows(centres, inverse(renamed)),
  };
}

function inverse(order) {
  const out = new Int32Array(order.length);
  order.forEach((to, i) => { out[to] = i; });
  return out;
}

// The nearest landmark of every pixel.
function leavesOf(content, view, centres, tell) {
  const { height, width } = content, map = new Int32Array(height * width), ask = nearestOf(centres);
  for (let y = 0; y < height; y += ROWS) {
    tell("laying regions over all pixels", y / height);
    const start = y * width, count = Math.min(ROWS, height - y) * width;
    map.set(ask(view.of(content.of(Int32Array.from({ length: count }, (_, i) => start + i)))), start);
  }
  return map;
}

// Landmarks in the order of their coordinates, the last first, so that the order of the pixels decides nothing.
function inOrder({ centres, nearest, mass }) {
  const { n, d, x } = centres, order = Array.from({ length: n }, (_, i) => i).sort((i, j) => {
    for (let k = d - 1; k >= 0; k--) if (x[i * d + k] !== x[j * d + k]) return x[i * d + k] - x[j * d + k];
    return 0;
  });
  const rank = new Int32Array(n);
  order.forEach((i, at) => { rank[i] = at; });
  const ordered = { centres: rows(centres, order), mass: Float64Array.from(order, i => mass[i]) };
  return { ...ordered, nearest: nearest.map(i => rank[i]) };
}

// The merges of the landmarks, on which all aspects of them agree.
function agreed({ centres, mass }, { aspects, meaning }, tell) {
  const { n, d } = centres, all = aspects ?? [new Float64Array(d).fill(1)];
  const orders = all.map((row, i) => {
    tell("condensing", i / all.length);
    return condense({ n, d, x: Float64Array.from(centres.x, (v, k) => v * row[k % d]) }, mass);
  });
  return aspects ? consensus(orders, mass, knownAsOne(centres, meaning.d)) : orders[0];
}

// Which landmarks agree in what the network says, but for a thousandth of how much that varies.
function knownAsOne({ n, d, x }, dim) {
  const points = { n, d: dim, x: new Float64Array(n * dim) };
  for (let i = 0; i < n; i++) for (let k = 0; k < dim; k++) points.x[i * dim + k] = x[i * d + k];
  let variance = 0;
  for (let k = 0; k < dim; k++) {
    let sum = 0, square = 0;
    for (let i = k; i < n * dim; i += dim) sum += points.x[i];
    for (let i = k; i < n * dim; i += dim) square += (points.x[i] - sum / n) ** 2;
    variance += square / n;
  }
  return Uint8Array.from(squaredDistances(points), v => +(v <= 1e-6 * variance));
}
