// Which pixels of a plane are selected: those of the selected leaves, less what lies outside boxes or apart from marks.
import { markedPixels, selectedLeaves } from "./marks.js";
import { touchedPieces } from "./pieces.js";

// `leaves`: ones and zeros; `any`: whether there are some; `mask`: pixels, where these are not all pixels of the leaves,
// or null. `map`: the leaf of each pixel of the plane that is looked at.
export function select(session, index, map) {
  const { state, images: { loaded } } = session, image = loaded[index], marks = session.ownMarks(index);
  const leaves = selectedLeaves(image, marks, state.auto, loaded), any = leaves.some(inside => inside);
  const positive = marks.filter(mark => mark.sign > 0), boxes = boxesOf(positive, index, image.tree.n);
  if (!any || image.depth > 1 || !state.connected && !boxes) return { leaves, any, mask: null };
  const [H, W] = image.spatial, mask = Uint8Array.from(map, leaf => leaves[leaf]);
  if (boxes) keepInside(mask, map, W, boxes);
  if (!state.connected) return { leaves, any, mask };
  const seeds = positive.flatMap(mark => markedPixels(mark, index, image.tree, map, W));
  return { leaves, any, mask: touchedPieces(mask, H, W, seeds) };
}

// For each leaf the boxes that it must not leave, null where it may; null if there is no box. A leaf that another mark
// means as well is free.
function boxesOf(marks, index, n) {
  const isBox = mark => mark.box && mark.image === index;
  if (!marks.some(isBox)) return null;
  const boxes = new Array(n).fill(null);
  for (const mark of marks.filter(isBox))
    for (const [leaf] of mark.leaves) boxes[leaf] = [...boxes[leaf] || [], mark.path];
  for (const mark of marks.filter(mark => !isBox(mark))) for (const [leaf] of mark.leaves) boxes[leaf] = null;
  return boxes;
}

// Takes the pixels away that lie outside all boxes of their leaf. A box: its corners, one after the other.
function keepInside(mask, map, width, boxes) {
  const inside = (row, col) => ([[r0, c0], , [r1, c1]]) =>
    row >= Math.min(r0, r1) && row <= Math.max(r0, r1) && col >= Math.min(c0, c1) && col <= Math.max(c0, c1);
  mask.forEach((selected, i) => {
    const own = selected && boxes[map[i]];
    if (own && !own.some(inside(Math.floor(i / width), i % width))) mask[i] = 0;
  });
}
