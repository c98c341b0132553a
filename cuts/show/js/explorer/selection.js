// Which pixels of a plane are selected: those of the selected leaves, less what lies outside boxes or apart from marks.
import { markedPixels, selectedLeaves } from "./marks.js";
import { touchedPieces } from "./pieces.js";

// `leaves`: ones and zeros; `any`: whether there are some; `mask`: pixels, where these are not all pixels of the
// leaves, or null. `map`: the leaf of each pixel of the plane that is looked at.
export function select(session, index, map) {
  const { state, images: { loaded } } = session, image = loaded[index], marks = session.ownMarks(index);
  const leaves = selectedLeaves(image, marks, state.auto, loaded), any = leaves.some(inside => inside);
  const positive = marks.filter(mark => mark.sign > 0), boxes = boxesOf(positive, index, image.tree.n);
  if (!any || image.depth > 1 || !state.connected && !boxes) return { leaves, any, mask: null };
  const [H, W] = image.spatial, mask = pixelsOf(leaves, map, W, boxes);
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

// The pixels of some leaves, less those that lie outside all boxes of their leaf. A box: its corners in their order.
function pixelsOf(leaves, map, width, boxes) {
  const mask = new Uint8Array(map.length);
  for (let i = 0, row = 0, col = 0; i < map.length; i++) {
    const leaf = map[i];
    if (leaves[leaf] && (!boxes?.[leaf] || isInside(row, col, boxes[leaf]))) mask[i] = 1;
    if (++col === width) [row, col] = [row + 1, 0];
  }
  return mask;
}

function isInside(row, col, boxes) {
  for (const [[r0, c0], , [r1, c1]] of boxes)
    if (row >= Math.min(r0, r1) && row <= Math.max(r0, r1) && col >= Math.min(c0, c1) && col <= Math.max(c0, c1))
      return true;
  return false;
}
