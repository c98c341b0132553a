// Which pixels of a plane are selected: those of the selected leaves, less what lies outside lines or apart from marks.
import { markedPixels, selectedLeaves } from "./marks.js";
import { pixelsInside } from "./outline.js";
import { keptPieces } from "./pieces.js";
import { meaningOf } from "./state.js";
import { isVolume } from "./views.js";

const CRUMB = 0.02;     // share of the largest marked piece, below which one without a mark is a crumb

// `leaves`: ones and zeros; `any`: whether there are some; `mask`: pixels, where these are not all pixels of the
// leaves, or null. `map`: the leaf of each pixel of the plane that is looked at.
export function select(session, index, map) {
  const { state, images: { loaded } } = session, image = loaded[index], marks = session.ownMarks(index);
  const leaves = selectedLeaves(image, marks, state.auto, loaded), any = leaves.some(inside => inside);
  const holds = mark => mark.whole && mark.path && mark.sign > 0 && mark.image === index, lined = marks.filter(holds);
  const cleans = isCleaned(state, image);
  if (!any || isVolume(image) || !cleans && !lined.length) return { leaves, any, mask: null };
  const others = marks.filter(mark => !holds(mark));
  const free = lined.length && others.length ? selectedLeaves(image, others, state.auto, loaded) : null;
  const mask = pixelsOf(leaves, map, lined.map(({ path }) => pixelsInside(path, image.spatial)), free);
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

// The pixels of some leaves. Where there are lines, those inside of one, given as ones, or of leaves that are `free`,
// which other marks mean without the lines.
function pixelsOf(leaves, map, lines, free) {
  return Uint8Array.from(map, (leaf, i) =>
    leaves[leaf] && (!lines.length || free?.[leaf] || lines.some(inside => inside[i])));
}
