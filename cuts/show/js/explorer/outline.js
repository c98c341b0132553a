// Outlines: which pixels lie in one, and which leaves it means. Python's `outlined` answers alike, which notebook 41a
// checks.
import { leavesInBox } from "./box.js";
import { sum } from "./numbers.js";

const COST = 0.02;      // the gain in Dice that one more node must bring
const ROUNDS = 50;

// The pixels of a plane [height × width] in a closed path of (row, column), those on the line among them, as ones.
export function pixelsInside(path, [height, width]) {
  const inside = new Uint8Array(height * width), rows = path.map(([row]) => row);
  const sides = path.map((from, i) => [from, path[(i + 1) % path.length]]);
  const edges = sides.filter(([[a], [b]]) => a !== b);
  const first = rows.reduce((a, b) => Math.min(a, b)), last = rows.reduce((a, b) => Math.max(a, b));
  const fill = (row, from, to) => {
    const [start, end] = [from, to + 1].map(col => row * width + Math.max(0, Math.min(col, width)));
    if (row >= 0 && row < height && start < end) inside.fill(1, start, end);
  };
  for (const [row, col] of path) fill(row, col, col);
  for (const [[a, x], [b, y]] of sides) if (a === b) fill(a, Math.min(x, y), Math.max(x, y));   // such as a box's last
  for (let row = Math.max(first, 0); row <= Math.min(last, height - 1); row++) {
    const crossed = edges.filter(([[a], [b]]) => Math.min(a, b) <= row && row < Math.max(a, b))
      .map(([[a, x], [b, y]]) => x + (row - a) / (b - a) * (y - x)).sort((x, y) => x - y);
    for (let k = 0; k + 1 < crossed.length; k += 2) fill(row, Math.ceil(crossed[k]), Math.floor(crossed[k + 1]));
  }
  return inside;
}

// The pixels in the ellipse that touches the sides of a box, given by two opposite corners, as ones: what lies in a box
// is rarely as large as the box.
function ellipseInside([[r0, c0], [r1, c1]], [height, width]) {
  const [top, left, bottom, right] = [Math.min(r0, r1), Math.min(c0, c1), Math.max(r0, r1), Math.max(c0, c1)];
  const place = (x, low, high) => (2 * x - low - high) / (high - low + 1), inside = new Uint8Array(height * width);
  for (let row = top; row <= bottom; row++)
    for (let col = left; col <= right; col++)
      if (place(row, top, bottom) ** 2 + place(col, left, right) ** 2 <= 1) inside[row * width + col] = 1;
  return inside;
}

// The leaves whose nodes together overlap best with some pixels. `hit`: how many of these lie in each leaf; `area`: how
// many pixels each leaf has in all. As ones and zeros.
export function fitOutline(tree, hit, area) {
  const hint = sum(hit), hits = tree.sumUp(hit), areas = tree.sumUp(area), price = COST * hint;
  const value = nodes => {
    const overlap = sum(nodes.map(v => hits[v])), size = sum(nodes.map(v => areas[v]));
    return (2 * overlap - price * (nodes.length - 1)) / (size + hint);
  };
  const single = hits.map((h, v) => 2 * h / Math.max(areas[v] + hint, 1e-300));
  let chosen = [single.reduce((best, x, v) => x > single[best] ? v : best, 0)];
  for (let round = 0; round < ROUNDS; round++) {
    const guess = value(chosen), better = bestDisjoint(tree, hits.map((h, v) => 2 * h - guess * areas[v] - price));
    if (!better.length || value(better) <= guess + 1e-12) break;
    chosen = better;
  }
  return tree.leavesIn(chosen);
}

// The disjoint nodes that are worth most together; of equally good choices the larger nodes.
function bestDisjoint(tree, worth) {
  const { parent, m } = tree.nodes, best = worth.map(x => Math.max(x, 0)), parts = new Float64Array(m);
  const chosen = new Uint8Array(m), inside = new Uint8Array(m);
  for (let v = 0; v < m; v++) {
    best[v] = Math.max(best[v], parts[v]);
    chosen[v] = worth[v] > 0 && worth[v] >= parts[v] * (1 - 1e-12);
    if (parent[v] >= 0) parts[parent[v]] += best[v];
  }
  for (let v = m - 2; v >= 0; v--) inside[v] = inside[parent[v]] | chosen[parent[v]];
  return Array.from(chosen.keys()).filter(v => chosen[v] && !inside[v]);
}

// What an outline says: `leaves` that it means, as pairs with their pixels in sight; of a plane of a volume also those
// `beside` them, since nothing is said of leaves in other planes. `map`: the leaf of each pixel [height × width] in
// sight; `path`: of a box two opposite corners.
export function outlinedLeaves(graph, map, spatial, { path, isBox, sign, isPlane }) {
  const hit = new Float64Array(graph.n), area = new Float64Array(graph.n);
  const pixels = (isBox ? ellipseInside : pixelsInside)(path, spatial), seen = leaf => area[leaf] > 0;
  for (let i = 0; i < map.length; i++) {
    area[map[i]]++;
    hit[map[i]] += pixels[i];
  }
  const fitted = () => isBox ? leavesInBox(graph, map, area, path, spatial) : fitOutline(graph.tree, hit, area);
  const inside = sign > 0 ? fitted() : mostlyIn(hit, area);
  const all = Array.from(inside.keys()), leaves = all.filter(leaf => inside[leaf] && (seen(leaf) || !isPlane));
  const told = leaves.map(leaf => [leaf, area[leaf]]);
  return isPlane ? { leaves: told, beside: all.filter(leaf => seen(leaf) && !inside[leaf]) } : { leaves: told };
}

// Leaves with half of their pixels in an outline, at least one.
function mostlyIn(hit, area) {
  const share = hit.map((h, leaf) => area[leaf] ? h / area[leaf] : 0), least = Math.min(0.5, Math.max(...share));
  return Uint8Array.from(share, x => x >= least);
}
