// An image becomes a tree of regions, as `cuts.segment(image)` does it in Python.
import { evenColours } from "./colours.js";
import { condense, squaredDistances } from "./condensation.js";
import { consensus } from "./consensus.js";
import { landmarks, rows } from "./landmarks.js";
import { scaleSet, worthRegions } from "./prices.js";
import { priorVectors } from "./prior.js";
import { fromMerges, salientLevels } from "./tree.js";
import { viewOf } from "./view.js";

const LANDMARKS = 500;

// `image`: { height, width, channels: 1 or 3, values in [-1, 1] }; `tell` hears of every step before it begins.
export function segment(image, prior, tell = () => {}) {
  tell("looking at it with the network");
  const Z = priorVectors(prior, image);
  tell("evening out its colours");
  const colours = evenColours(image), view = viewOf(Z, prior.dim, colours, image.channels, image);
  tell("choosing landmarks");
  const chosen = inOrder(landmarks(view.points, LANDMARKS));
  const { merges, times } = agreed(chosen, view, tell);
  tell("pricing regions");
  const first = fromMerges(merges, times, chosen.mass), leaf = chosen.nearest.map(i => first.leaf[i]);
  const { tree, leaf: renamed } = scaleSet(first.tree, leaf, view.meaning, image);
  const map = Uint16Array.from(leaf, i => renamed[i]), place = new Int32Array(tree.n);
  chosen.nearest.forEach((i, pixel) => { place[map[pixel]] = i; });
  return {
    tree, map, levels: salientLevels(tree), persistent: worthRegions(tree), landmarks: rows(chosen.centres, place),
  };
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
    tell(`condensing, ${i + 1} of ${all.length}`);
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
