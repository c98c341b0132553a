// What is laid over the part of the image that is in sight: regions in their colours, their outlines, the selection.
import { alike, heat, outlines, painted, selectionColour } from "./drawing.js";

const HEAT = heat();
const BY_PIXEL = { kmeans: 1, truth: 1 };                  // numbers that are not those of the tree
const CLEAR = 200;      // opacity of probabilities at least, of 255
const plusOne = numbers => Int32Array.from(numbers, x => x + 1);

export class Overlay {
  #made = new Map();      // one for the image, and one for a piece of it that shows details

  // Something else is to be shown.
  forget() {
    this.#made.clear();
  }

  // Canvas and paths for some cells of the image (see `Viewport.cells`), or for the pixels of a piece that shows
  // details (see `Detail`); made once, until something changes.
  of(session, cells, piece = null) {
    const key = Object.values(cells).join() + (piece?.key ?? ""), made = this.#made.get(!piece);
    if (made?.key === key) return made;
    const grid = piece ? sampledPiece(session, cells, piece) : sampled(session, cells);
    return this.#make(session, grid, key, !piece);
  }

  #make({ state, image, selection }, grid, key, which) {
    const { h, w } = grid;
    const opacity = Math.round(255 * state.opacity), dimmed = selection.any ? opacity >> 1 : opacity;
    const colours = state.show in BY_PIXEL ? image.palette : image.colours;
    const likely = state.show === "probability", outlined = state.outlines && !likely && state.show !== "nothing";
    const made = {
      key,
      fill: likely
        ? painted({ ...grid, selected: [] }, HEAT, Math.max(opacity, CLEAR), [0, 0, 0, 0])
        : painted(grid, colours, dimmed, [...selectionColour(image), Math.max(opacity >> 1, 40)]),
      regions: outlined ? outlines(alike(grid.numbers, colours), h, w) : null,
      selected: selection.any ? outlines(grid.selected, h, w) : null,
    };
    this.#made.set(which, made);
    return made;
  }
}

// The number that is shown at each cell, 0 for nothing, and whether it is selected.
function sampled(session, { x, y, w, h, fx, fy }) {
  const { view, plane, selection } = session, [H, W] = view.spatial, { map } = plane, { leaves, mask } = selection;
  const byLeaf = numbersOfLeaves(session), byPixel = { kmeans: plane.kmeans, truth: plane.truth }[session.state.show];
  const numbers = new Int32Array(h * w), selected = new Uint8Array(h * w);
  for (let r = 0, n = 0; r < h; r++) {
    const row = Math.min(y + r * fy, H - 1) * W;
    for (let c = 0; c < w; c++, n++) {
      const i = row + Math.min(x + c * fx, W - 1);
      numbers[n] = byPixel ? byPixel[i] : byLeaf[map[i]];
      selected[n] = mask ? mask[i] : leaves[map[i]];
    }
  }
  return { numbers, selected, h, w };
}

// The same for the pixels of a piece. What is known of pixels and not of leaves is that of the overview.
function sampledPiece(session, { x, y, w, h, fx, fy }, { map }) {
  const { view, plane, selection: { leaves, mask } } = session, [H, W] = view.spatial;
  const byLeaf = numbersOfLeaves(session), byPixel = { kmeans: plane.kmeans, truth: plane.truth }[session.state.show];
  const numbers = new Int32Array(h * w), selected = new Uint8Array(h * w);
  for (let r = 0, n = 0; r < h; r++) {
    const row = Math.min(Math.floor(y + r * fy), H - 1) * W;
    for (let c = 0; c < w; c++, n++) {
      const i = row + Math.min(Math.floor(x + c * fx), W - 1);
      numbers[n] = byPixel ? byPixel[i] : byLeaf[map[n]];
      selected[n] = mask ? mask[i] && leaves[map[n]] : leaves[map[n]];
    }
  }
  return { numbers, selected, h, w };
}

// The number that is shown of each leaf, 0 for nothing; of a probability 1 to 255.
function numbersOfLeaves({ state: { show }, image, regions, likelihood }) {
  if (show === "level") return plusOne(regions);
  if (show === "persistent") return plusOne(image.persistent);
  if (show === "probability" && likelihood) return Int32Array.from(likelihood, p => 1 + Math.round(254 * p));
  return new Int32Array(image.tree.n);
}
