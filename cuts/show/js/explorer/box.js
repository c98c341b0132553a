// What a box says of the leaves in and around it. Python's `leaves_in_box` answers alike, which notebook 41a checks.
import { clamp, sum } from "./numbers.js";

const MIDDLE = 0.9, SOFT = 0.2;     // the radius at which a pixel is as likely as not, and how fast that changes
const MOST = 4;                     // that place or likeness can say, as logarithm of odds
const ALIKE = 0.5;                  // how far what is alike may differ
const FARTHEST = 1.5;               // radius
const HEARD = 4000;                 // leaves that each is compared with, at most; of more evenly chosen ones

// The leaves of the structure in a box, which is given by two opposite corners, as ones and zeros. `map`: the leaf of
// each pixel [height × width] in sight, `area`: how many pixels of each leaf that has.
export function leavesInBox(graph, map, area, corners, spatial) {
  const place = placed(graph.n, map, corners, spatial), likeness = likenessOf(graph, place);
  const nearness = nearnessOf(graph, place, area), all = Array.from(place.pixels.keys());
  const odds = all.map(leaf =>
    place.inside[leaf] ? place.odds[leaf] + likeness[leaf] + MOST / 2 * nearness[leaf] : -Infinity);
  const least = Math.min(0, odds.reduce((a, b) => Math.max(a, b), -Infinity) - 1e-9);
  return Uint8Array.from(odds, x => x > least);
}

// How many pixels of each leaf are looked at, how many lie in the box and in the middle of it, or nearest to that, and
// what their place says of the leaf.
function placed(n, map, [[r0, c0], [r1, c1]], [height, width]) {
  const [pixels, inside, middle, odds] = [0, 1, 2, 3].map(() => new Float64Array(n));
  const [rows, cols] = [[r0, r1, height], [c0, c1, width]].map(([a, b, size]) => along(a, b, size));
  const least = side => side.reduce((best, { far }) => Math.min(best, Math.abs(far)), Infinity);
  const core = Math.max(0.5, Math.sqrt(least(rows) ** 2 + least(cols) ** 2) + 1e-9);
  for (const { at: row, far: down, isIn: isRow } of rows)
    for (const { at: col, far: across, isIn: isCol } of cols) {
      const radius = Math.sqrt(down * down + across * across), leaf = map[row * width + col];
      if (radius > FARTHEST) continue;
      pixels[leaf]++;
      inside[leaf] += isRow && isCol;
      middle[leaf] += radius <= core;
      odds[leaf] += isRow && isCol ? clamp((MIDDLE - radius) / SOFT, -MOST, MOST) : -MOST;
    }
  return { pixels, inside, middle, odds: odds.map((told, leaf) => told / Math.max(pixels[leaf], 1)) };
}

// The rows or columns near the side of a box between two pixels: how far each is from the middle, and whether it is in.
function along(a, b, size) {
  const low = Math.min(a, b), high = Math.max(a, b), length = high - low + 1;
  const place = at => ({ at, far: (2 * at - low - high) / length, isIn: at >= low && at <= high });
  return Array.from({ length: size }, (_, at) => place(at)).filter(({ far }) => Math.abs(far) <= FARTHEST);
}

// Whether each leaf that is looked at is more like those in the box or like those around it.
function likenessOf(graph, { pixels, odds }) {
  const some = Array.from(pixels.keys()).filter(leaf => pixels[leaf] > 0), every = Math.ceil(some.length / HEARD);
  const others = some.filter((_, i) => i % every === 0), likeness = new Float64Array(graph.n), look = lookOf(graph);
  const part = others.map(leaf => 1 / (1 + Math.exp(-odds[leaf]))), looks = others.map(look);
  const inner = others.map((leaf, i) => pixels[leaf] * part[i]), allInner = sum(inner);
  const outer = others.map((leaf, i) => pixels[leaf] * (1 - part[i])), allOuter = sum(outer);
  for (const leaf of some) {
    let within = 0, without = 0;
    const own = look(leaf);
    looks.forEach((other, j) => {
      const like = Math.exp(unlike(own, other) / (-2 * ALIKE * ALIKE));
      within += like * inner[j];
      without += like * outer[j];
    });
    const odd = (within / allInner + 1e-300) / (without / allOuter + 1e-300);
    likeness[leaf] = clamp(Math.log(odd), -MOST, MOST);
  }
  return likeness;
}

// What tells vector and colour of a leaf.
function lookOf({ vector, colour, n }) {
  const of = (x, leaf) => Array.from(x.subarray(leaf * x.length / n, (leaf + 1) * x.length / n));
  return leaf => [...of(vector, leaf), ...of(colour, leaf)];
}

function unlike(a, b) {
  let square = 0;
  for (let k = 0; k < a.length; k++) square += (a[k] - b[k]) ** 2;
  return square;
}

// How much nearer each leaf is to the middle of the box, 1, or to what lies outside, −1; 0 where nothing does.
function nearnessOf(graph, { inside, middle }, area) {
  const all = Array.from(area.keys()), most = middle.reduce((best, x, leaf) => x > middle[best] ? leaf : best, 0);
  const isMiddle = leaf => leaf === most || middle[leaf] > area[leaf] / 2, inner = all.filter(isMiddle);
  const outside = all.filter(leaf => area[leaf] > 0 && inside[leaf] < area[leaf] / 10 && !isMiddle(leaf));
  if (!outside.length) return new Float64Array(graph.n);
  const [a, b] = [inner, outside].map(leaves => graph.farFrom(leaves));
  return a.map((x, leaf) => (b[leaf] - x) / (b[leaf] + x));
}
