// What is laid over the part of the image that is in sight: regions in their colours, their outlines, the selection.
import { heat, outlines, painted } from "./drawing.js";

const HEAT = heat();
const CLEAR = 200;      // opacity of probabilities at least, of 255
const plusOne = numbers => Int32Array.from(numbers, x => x + 1);

export class Overlay {
  #made = null;
  #key = "";

  // Something else is to be shown.
  forget() {
    this.#made = null;
  }

  // Canvas and paths for some cells of the image (see `Viewport.cells`); made once, until something changes.
  of(session, cells) {
    const key = Object.values(cells).join();
    if (this.#made && this.#key === key) return this.#made;
    const { state, image, selection } = session, grid = sampled(session, cells), { h, w } = cells;
    const opacity = Math.round(255 * state.opacity), dimmed = selection.any ? opacity >> 1 : opacity;
    const likely = state.show === "probability", outlined = state.outlines && !likely && state.show !== "nothing";
    this.#key = key;
    this.#made = {
      fill: likely
        ? painted({ ...grid, selected: [] }, HEAT, Math.max(opacity, CLEAR), 0)
        : painted(grid, image.palette, dimmed, Math.max(opacity >> 1, 40)),
      regions: outlined ? outlines(grid.numbers, h, w) : null,
      selected: selection.any ? outlines(grid.selected, h, w) : null,
    };
    return this.#made;
  }
}

// The number that is shown at each cell, 0 for nothing, and whether it is selected.
function sampled(session, { x, y, w, h, fx, fy }) {
  const { image, plane, selection } = session, [H, W] = image.spatial, { map } = plane, { leaves, mask } = selection;
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

// The number that is shown of each leaf, 0 for nothing; of a probability 1 to 255.
function numbersOfLeaves({ state: { show }, image, regions, likelihood }) {
  if (show === "level") return plusOne(regions);
  if (show === "persistent") return plusOne(image.persistent);
  if (show === "probability" && likelihood) return Int32Array.from(likelihood, p => 1 + Math.round(254 * p));
  return new Int32Array(image.tree.n);
}
