// Which pixels lie nearest to each other. Python's `neighbours` asks a search tree of SciPy's; where several pixels are
// equally far, what it takes depends on how the tree lies in memory, so the tree here lies in the same way.
import { SearchTree } from "./search-tree.js";

const NEAREST = 5;      // the pixel itself among them

// Each of some pixels of an image, in their order, and the four of them that lie nearest to it, every pair once.
export function neighbours(pixels, width) {
  const n = pixels.length, keys = new Set();
  const tree = new SearchTree(ranks(pixels.map(i => Math.floor(i / width))), ranks(pixels.map(i => i % width)));
  for (let i = 0; i < n; i++)
    for (const j of tree.nearest(i, Math.min(NEAREST, n))) if (j !== i) keys.add(Math.min(i, j) * n + Math.max(i, j));
  const pairs = Float64Array.from(keys).sort();
  return { first: Int32Array.from(pairs, key => Math.floor(key / n)), second: Int32Array.from(pairs, key => key % n) };
}

// Numbers as places among those that occur.
function ranks(x) {
  const rank = new Map();
  x.slice().sort().forEach(v => rank.has(v) || rank.set(v, rank.size));
  return x.map(v => rank.get(v));
}
