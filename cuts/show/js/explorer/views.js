// The ways to cut an image into planes: one of a picture, three of a volume.

const NAMES = { S: "axial", I: "axial", A: "coronal", P: "coronal", L: "sagittal", R: "sagittal" };
const OPPOSITE = { L: "R", R: "L", A: "P", P: "A", S: "I", I: "S" };

// A volume may have but one plane.
export const isVolume = ({ shape }) => shape.length === 3;

// The planes across an axis: their number, size and spacing, a name, and the letters at their sides, from the top
// clockwise; none where nobody knows how the image lies. `orientation` tells what increases along each axis, such as
// SPL. Where it is known the head is up: rows of planes across another axis than the first run the other way, which
// Python's `plane_of` does as well.
export function viewOf({ shape, spacing, orientation = "" }, axis = 0) {
  const isPlane = shape.length === 3, [rows, columns] = isPlane ? [0, 1, 2].filter(a => a !== axis) : [0, 1];
  const isTurned = isPlane && axis > 0 && orientation[0] === "S";
  const down = isTurned ? OPPOSITE[orientation[rows]] : orientation[rows], right = orientation[columns];
  return {
    axis, rows, columns, isTurned,
    depth: isPlane ? shape[axis] : 1,
    spatial: [shape[rows], shape[columns]],
    spacing: [spacing[rows], spacing[columns]],
    name: NAMES[orientation[axis]] ?? ["first axis", "second axis", "third axis"][axis],
    letters: orientation ? [OPPOSITE[down], right, down, OPPOSITE[right]] : [],
  };
}

// Where in the image a place of a plane is, along each of its axes.
export function placeOf({ axis, rows, columns, isTurned, spatial: [H] }, plane, [row, col]) {
  const place = [];
  place[rows] = isTurned ? H - 1 - row : row;
  place[columns] = col;
  if (plane !== null) place[axis] = plane;
  return place;
}

// The pixels of one plane, as their numbers in the volume.
export function pixelsOfPlane(shape, view, plane) {
  const [H, W] = view.spatial, out = new Uint32Array(H * W);
  for (let row = 0, n = 0; row < H; row++)
    for (let col = 0; col < W; col++, n++) {
      const [z, y, x] = placeOf(view, plane, [row, col]);
      out[n] = (z * shape[1] + y) * shape[2] + x;
    }
  return out;
}
