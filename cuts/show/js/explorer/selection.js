// Which pixels of a plane are selected: those of the selected leaves, less what lies outside boxes or apart from marks.
import { markedPixels, selectedLeaves } from "./marks.js";
import { touchedPieces } from "./pieces.js";

// `leaves`: ones and zeros; `any`: whether there are some; `mask`: pixels, where these are not all pixels of the
// leaves, or null. `map`: the leaf of each pixel of the plane that is looked at.
export function select(session, index, map) {
  const { state, images: { loaded } } = session, image = loaded[index], marks = session.ownMarks(index);
  const leaves = selectedLeaves(image, marks, state.auto, loaded), any = leaves.some(inside => inside);
  const isBox = mark => mark.box && mark.sign > 0 && mark.image === index, boxes = marks.filter(isBox);
  if (!any || image.shape.length === 3 || !state.connected && !boxes.length) return { leaves, any, mask: null };
  const [H, W] = image.spatial, others = marks.filter(mark => !isBox(mark));
  const free = boxes.length && others.length ? selectedLeaves(image, others, state.auto, loaded) : null;
  const mask = pixelsOf(leaves, map, W, boxes.map(({ path }) => path), free);
  if (!state.connected) return { leaves, any, mask };
  const positive = marks.filter(mark => mark.sign > 0);
  const seeds = positive.flatMap(mark => markedPixels(mark, index, image.tree, map, W));
  return { leaves, any, mask: touchedPieces(mask, H, W, seeds) };
}

// The pixels of some leaves. Where there are boxes, given by their corners, those in one of them or of leaves that are
// `free`, which other marks mean without the boxes.
function pixelsOf(leaves, map, width, boxes, free) {
  const mask = new Uint8Array(map.length);
  for (let i = 0, row = 0, col = 0; i < map.length; i++) {
    const leaf = map[i];
    if (leaves[leaf] && (!boxes.length || free?.[leaf] || isInside(row, col, boxes))) mask[i] = 1;
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
