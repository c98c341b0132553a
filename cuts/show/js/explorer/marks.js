// Marks: what was clicked or painted, and what it selects. A mark has a `sign`, 1 or −1, and the number of its `image`.
// It means either `leaves`, pairs of a leaf and a number of pixels, at a `level`, a number of regions or "persistent";
// or `node`, a node of the tree. Its pixels are a `path` of (row, column) in a `plane`, or where Python made it their
// indices, `pixels`; a mark made elsewhere than on an image has none.
import { fitMarks } from "./fit.js";
import { sum } from "./numbers.js";

const SLIP = 0.1;  // a region with less than this share of a mark's pixels was touched by a slip of the hand

// Marked pixels of each leaf, over all marks of one sign.
function countMarked(tree, marks, sign) {
  const count = new Float64Array(tree.n);
  for (const mark of marks) {
    if (mark.sign !== sign) continue;
    if (mark.node === undefined) for (const [leaf, pixels] of mark.leaves) count[leaf] += pixels;
    else tree.leavesIn([mark.node]).forEach((inside, leaf) => { count[leaf] += inside * tree.mass[leaf]; });
  }
  return count;
}

function fitted(tree, marks) {
  const positive = countMarked(tree, marks, 1), negative = countMarked(tree, marks, -1);
  if (!positive.some(x => x)) return new Uint8Array(tree.n);
  return tree.leavesIn(fitMarks(tree, positive, negative.some(x => x) ? negative : null));
}

// The leaves that one mark means at its level.
function leavesOf(tree, mark, persistent) {
  if (mark.node !== undefined) return tree.leavesIn([mark.node]);
  const lasting = mark.level === "persistent";
  const region = lasting && persistent ? persistent : tree.labels(lasting ? 1 : mark.level);
  const total = sum(mark.leaves.map(([, pixels]) => pixels)), touched = new Map();
  for (const [leaf, pixels] of mark.leaves) touched.set(region[leaf], (touched.get(region[leaf]) || 0) + pixels);
  return Uint8Array.from({ length: tree.n }, (_, i) => region[i] >= 0 && (touched.get(region[i]) || 0) >= SLIP * total);
}

// The leaves that marks select, one after the other at their levels, or with `auto` all together at the level where
// they are most themselves. `persistent`: the persistent structure of each leaf, −1 where nothing persists.
export function selectedLeaves(tree, marks, { auto = false, persistent = null } = {}) {
  if (auto) return fitted(tree, marks);
  const selected = new Uint8Array(tree.n);
  for (const mark of marks)
    leavesOf(tree, mark, persistent).forEach((inside, leaf) => { if (inside) selected[leaf] = mark.sign > 0; });
  return selected;
}

// How many pixels of a stroke lie in each leaf, as pairs. `map`: the leaf of each pixel.
export function touchedLeaves(map, width, path) {
  const count = new Map();
  for (const [row, col] of path) {
    const leaf = map[row * width + col];
    count.set(leaf, (count.get(leaf) || 0) + 1);
  }
  return [...count];
}

// The pixels of image `index`, as indices, that a mark speaks of; those of its leaves if it was not made on an image.
export function markedPixels(mark, index, tree, map, width) {
  if (mark.image === index && mark.path) return mark.path.map(([row, col]) => row * width + col);
  if (mark.image === index && mark.pixels) return mark.pixels;
  if (mark.path || mark.pixels) return [];
  const inside = mark.node === undefined ? new Uint8Array(tree.n) : tree.leavesIn([mark.node]);
  for (const [leaf] of mark.leaves) inside[leaf] = 1;
  return Array.from(map.keys()).filter(i => inside[map[i]]);
}
