// Marks: what was clicked or painted, and what it selects. A mark has a `sign`, 1 or −1, and the number of its `image`.
// It means `leaves`, pairs of a leaf and a number of pixels, at a `level`, a number of regions or "persistent"; or if
// it is `whole`, such as an outline, exactly these leaves (of those in its plane, if it tells which are `beside` them),
// and no pixel of them outside its path if it has one; or `node`, a node of the tree. `places` tells where in the
// image each of its leaves is marked. Its pixels are a `path` of (row, column) in a `plane`, across the first axis of a
// volume or across another `axis`, or where Python made it their indices, `pixels`; a mark made elsewhere than on an
// image has none. What marks mean up to one is grown by its `growth`: how often the odds are doubled; or, where it is a
// `region`, means all of the regions that it touches at its level, and nothing else.
import { sum } from "./numbers.js";
import { pixelsInside } from "./outline.js";
import { grown } from "./reader.js";
import { pixelsOfPlane, placeOf } from "./views.js";

const MOST_GROWTH = 20; // doublings of the odds
const SLIP = 0.1;  // a region with less than this share of a mark's pixels was touched by a slip of the hand

// A mark as a stroke on an image: its leaves at their places, or at their centres where it was made elsewhere; where
// the image has none of them, none is looked at unless the mark is `needed`.
function strokeOf({ tree, reader, persistent }, mark, isHere, needed) {
  const exact = exactLeaves(tree, mark, persistent), marked = mark.leaves.map(([leaf]) => leaf);
  if (!exact) return reader.stroke(mark.sign, marked, { places: isHere ? mark.places : null, needed });
  return reader.stroke(mark.sign, Array.from(exact.keys()).filter(leaf => exact[leaf] > 0), { exact, needed });
}

// Of a mark that means leaves exactly 1 of each of these, 0 of others, −1 where it says nothing; null of other marks.
function exactLeaves(tree, mark, persistent) {
  if (mark.node !== undefined) return Int8Array.from(tree.leavesIn([mark.node]));
  if (mark.region) return Int8Array.from(inRegions(tree, mark, persistent));
  if (!mark.whole) return null;
  const exact = new Int8Array(tree.n).fill(mark.beside ? -1 : 0);
  for (const leaf of mark.beside || []) exact[leaf] = 0;
  for (const [leaf] of mark.leaves) exact[leaf] = 1;
  return exact;
}

// The leaves that lie beside what was outlined in a plane, as a negative stroke; none of other marks.
function besideOf({ reader }, { sign, beside }) {
  return sign > 0 && beside?.length ? [reader.stroke(-1, beside)] : [];
}

// Marks as strokes on the image of the last one; of positive ones at least one is looked at, wherever its leaves are.
function strokesOn(image, marks) {
  const last = marks[marks.length - 1], of = (mark, needed) => strokeOf(image, mark, mark.image === last.image, needed);
  const isKnown = marks.some(mark => mark.sign > 0 && of(mark, false).marks.length);
  return marks.flatMap(mark => [of(mark, mark === last || !isKnown), ...besideOf(image, mark)]);
}

// How likely every leaf belongs to what marks mean together, each read on the image in which it was made; null if no
// mark is positive. `images`: by their numbers.
export function likelihood(marks, images) {
  let p = null;
  marks.forEach((last, end) => {
    const done = marks.slice(0, end + 1);
    if (!done.some(mark => mark.sign > 0)) return;
    const image = images[last.image], strokes = strokesOn(image, done), more = besideOf(image, last).length;
    if (more) p = image.reader.step(strokes.slice(0, -more), p);
    p = grown(image.reader.step(strokes, p), last.growth || 0, strokes);
  });
  return p;
}

// The leaves that one mark means at its level.
function leavesOf(tree, mark, persistent) {
  const exact = exactLeaves(tree, mark, persistent);
  return exact ? exact.map(inside => inside > 0) : inRegions(tree, mark, persistent);
}

// The leaves of the regions that a mark touches at its level.
function inRegions(tree, mark, persistent) {
  const lasting = mark.level === "persistent";
  const region = lasting && persistent ? persistent : tree.labels(lasting ? 1 : mark.level);
  const total = sum(mark.leaves.map(([, pixels]) => pixels)), touched = new Map();
  for (const [leaf, pixels] of mark.leaves) touched.set(region[leaf], (touched.get(region[leaf]) || 0) + pixels);
  return Uint8Array.from({ length: tree.n }, (_, i) => region[i] >= 0 && (touched.get(region[i]) || 0) >= SLIP * total);
}

// The leaves that marks select: one after the other at their levels, or with `auto` what they mean together. `image`:
// its tree, and the persistent structure of each leaf, −1 where nothing persists. `images`: those in which the marks
// were made, by their numbers.
export function selectedLeaves(image, marks, auto, images) {
  const { tree, persistent } = image;
  if (auto) return Uint8Array.from(likelihood(marks, images) || new Uint8Array(tree.n), p => p > 0.5);
  const selected = new Uint8Array(tree.n);
  for (const mark of marks)
    leavesOf(tree, mark, persistent).forEach((inside, leaf) => { if (inside) selected[leaf] = mark.sign > 0; });
  return selected;
}

// The last mark with the next answer, larger (1) or smaller (−1), of which other leaves of an image are selected; null
// if there is none. Answers grow; and next to the one that has not grown, on the side of its size, lies the region that
// is drawn under the mark.
export function nextAnswer(image, marks, way, images) {
  const last = marks[marks.length - 1], others = marks.slice(0, -1), { counts } = image;
  const answer = mark => likelihood([...others, mark], images).map(p => p > 0.5);
  const sizeOf = mark => sum(answer(mark).map((inside, leaf) => inside ? counts[leaf] : 0));
  const plain = { ...last, growth: 0, region: false }, drawn = drawnRegion(image, last), now = answer(last);
  const side = drawn && (sizeOf(drawn) < sizeOf(plain) ? -1 : 1);
  const after = mark => {
    if (mark.region) return { ...plain, growth: way === side ? side : 0 };
    const growth = mark.growth || 0, meets = way === side ? growth === 0 : growth === side;
    return drawn && meets ? drawn : { ...plain, growth: growth + way };
  };
  for (let next = after(last); Math.abs(next.growth) <= MOST_GROWTH; next = after(next))
    if (answer(next).some((inside, leaf) => inside !== now[leaf] && counts[leaf])) return next;
  return null;
}

// A mark that means all of the region that is drawn under it; null where none is, and for outlines and bars.
function drawnRegion({ tree, persistent }, mark) {
  if (mark.node !== undefined || mark.whole) return null;
  const drawn = { ...mark, growth: 0, region: true };
  return inRegions(tree, drawn, persistent).some(inside => inside) ? drawn : null;
}

// How many pixels of a stroke lie in each leaf, as pairs, and where on average. `map`: the leaf of each pixel; `view`:
// how the image is cut into planes; `plane`: its number in a volume, null in a picture.
export function touchedLeaves(map, view, path, plane = null) {
  const pixels = new Map(), [, width] = view.spatial;
  for (const pixel of new Set(path.map(([row, col]) => row * width + col)))
    pixels.set(map[pixel], [...pixels.get(map[pixel]) || [], pixel]);
  const mean = (of, values) => sum(of.map(values)) / of.length;
  return {
    leaves: [...pixels].map(([leaf, of]) => [leaf, of.length]),
    places: [...pixels].map(([, of]) =>
      placeOf(view, plane, [mean(of, i => Math.floor(i / width)), mean(of, i => i % width)])),
  };
}

// The pixels of image `index`, as indices, that a mark speaks of; those of its leaves if it was not made on an image,
// of an outline those that it surrounds. `map`: the leaf of each pixel of the image.
export function markedPixels(mark, index, { tree, shape, views }, map) {
  const isHere = mark.image === index, view = views[mark.axis ?? 0], isPlane = shape.length === 3;
  if (!mark.whole && mark.path) return isHere ? pathPixels(mark, view, shape) : [];
  if (!mark.whole && mark.pixels) return isHere ? mark.pixels : [];
  const inside = mark.node === undefined ? new Uint8Array(tree.n) : tree.leavesIn([mark.node]);
  for (const [leaf] of mark.leaves) inside[leaf] = 1;
  if (mark.whole && isHere && (mark.path || isPlane && mark.plane !== undefined)) {
    const within = mark.path ? pixelsInside(mark.path, view.spatial) : null;
    const inPlane = isPlane ? Array.from(pixelsOfPlane(shape, view, mark.plane)) : Array.from(map.keys());
    return inPlane.filter((i, n) => inside[map[i]] && (!within || within[n]));
  }
  const pixels = [];
  map.forEach((leaf, i) => { if (inside[leaf]) pixels.push(i); });
  return pixels;
}

function pathPixels({ path, plane }, view, shape) {
  return path.map(pixel => placeOf(view, shape.length === 3 ? plane : null, pixel)
    .reduce((index, place, axis) => index * shape[axis] + place, 0));
}
