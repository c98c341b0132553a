// Which pixels of a plane are selected: those of the selected leaves, less what lies outside boxes or apart from marks.
import { markedPixels, selectedLeaves } from "./marks.js";
import { keptPieces } from "./pieces.js";
import { meaningOf } from "./state.js";
import { isVolume } from "./views.js";

const CRUMB = 0.02;     // share of the largest marked piece, below which one without a mark is a crumb

// `leaves`: ones and zeros; `any`: whether there are some; `mask`: pixels, where these are not all pixels of the
// leaves, or null. `map`: the leaf of each pixel of the plane that is looked at.
export function select(session, index, map) {
  const { state, images: { loaded } } = session, image = loaded[index], marks = session.ownMarks(index);
  const leaves = selectedLeaves(image, marks, state.auto, loaded), any = leaves.some(inside => inside);
  const isBox = mark => mark.box && mark.sign > 0 && mark.image === index, boxes = marks.filter(isBox);
  const cleans = isCleaned(state, image);
  if (!any || isVolume(image) || !cleans && !boxes.length) return { leaves, any, mask: null };
  const [H, W] = image.spatial, others = marks.filter(mark => !isBox(mark));
  const free = boxes.length && others.length ? selectedLeaves(image, others, state.auto, loaded) : null;
  const mask = pixelsOf(leaves, map, W, boxes.map(({ path }) => path), free);
  return { leaves, any, mask: cleans ? cleaned(session, index, map, mask) : mask };
}

// The selection in what a session shows, made anew when something changes that it depends on.
export class Selector {
  #key = null;
  #last = null;

  of(session) {
    const { state, images: { loaded }, plane: { map } } = session, { image, plane, axis } = state;
    const key = JSON.stringify([image, plane, axis, meaningOf(state), loaded.map(Boolean)]);
    if (key !== this.#key) this.#last = select(session, image, map);
    this.#key = key;
    return this.#last;
  }
}

// Whether pieces of a selection may be left out: those that are not connected, or crumbs. Of a large image crumbs stay,
// since its details are selected leaf by leaf.
export function isCleaned({ connected, crumbs }, { detail }) {
  return connected || !crumbs && !detail;
}

function cleaned(session, index, map, mask) {
  const { state: { connected }, images: { loaded } } = session;
  return keptPieces(mask, loaded[index].shape, seeds(session, index, map), connected ? Infinity : CRUMB);
}

// The pixels that positive marks speak of. `map`: the leaf of each pixel of the image.
function seeds(session, index, map) {
  const positive = session.ownMarks(index).filter(mark => mark.sign > 0);
  return positive.map(mark => markedPixels(mark, index, session.images.loaded[index], map)).flat();
}

// The same for all of a volume, of which `map` tells the leaf of each voxel, less pieces that are left out.
export function cleanedVolume(session, index, map) {
  const { leaves } = select(session, index, map);
  return cleaned(session, index, map, Uint8Array.from(map, leaf => leaves[leaf]));
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
