// What the explorer is handed of one image. Python's `whole_facts` answers alike.
import { principalCoordinates } from "./coordinates.js";
import { graphFacts } from "./graph-facts.js";
import { segmentationColours } from "./paint.js";
import { structuresOf } from "./structures.js";
import { nodesOf } from "./tree.js";

// `segmentation`: of `segment`; `image`: with `shown`, its pixels from 0 to 255; `network`: the weights of hints.
export function wholeFacts(segmentation, image, network, name) {
  const { tree, map, levels, persistent, landmarks } = segmentation, counts = new Uint32Array(tree.n);
  for (const leaf of map) counts[leaf]++;
  const coordinates = principalCoordinates(landmarks, tree.mass), { dim, Y } = coordinates;
  const flat = Float32Array.from({ length: 2 * tree.n }, (_, k) => (k & 1) < dim ? Y[(k >> 1) * dim + (k & 1)] : 0);
  return {
    name, shape: [image.height, image.width], spacing: [1, 1], unit: "px", orientation: "",
    format: "png", grid: GRID, tree, levels,
    start: levels.reduce((best, k) => Math.abs(k - 8) < Math.abs(best - 8) ? k : best),
    persistent, kmeans: false, kept: true, counts, coordinates: flat, thumb: image.shown, truth: null,
    structures: structuresOf(nodesOf(tree)), colours: segmentationColours(tree, map, image),
    hints: graphFacts(segmentation, coordinates, image, network),
    planes: [{ image: image.shown, map }],
  };
}

// How labels lie in a NIfTI file of a picture: columns from right to left, rows from front to back.
const GRID = {
  axes: [1, 0, 2], flips: [false, false, false],
  affine: [[-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], unit: "px",
};
