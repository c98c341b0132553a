// What is drawn with a tool, or proposed, until it is a mark.
import { selectedLeaves, touchedLeaves } from "./marks.js";
import { ellipseInside, outlinedLeaves, pixelsInside } from "./outline.js";
import { propose } from "./proposal.js";

const SMALL = 2;        // pixels from its start; a box or a lasso that goes no farther is a click

function isClick(path) {
  return path.every(([row, col]) => Math.abs(row - path[0][0]) <= SMALL && Math.abs(col - path[0][1]) <= SMALL);
}

// The corners of the box between two pixels.
const corners = ([[r0, c0], [r1, c1]]) => [[r0, c0], [r0, c1], [r1, c1], [r1, c0]];

// A draft as it looks: its line, and whether this is closed. `path`: pixels (row, column), of a "box" two corners of
// it.
export function shapeOf({ path, sign, tool }) {
  return { path: tool === "box" && path.length > 1 ? corners(path) : path, sign, whole: tool !== "brush" };
}

// The mark that a draft becomes on the image and the plane that a session shows.
export function markOf(draft, { image, plane: { map }, state, markLevel }) {
  const { path, sign, tool } = draft, { spatial, depth, tree } = image, isPlane = depth > 1, { plane } = state;
  if (tool === "brush" || isClick(path)) {
    const line = tool === "brush" ? path : path.slice(0, 1);
    const touched = touchedLeaves(map, spatial[1], line, isPlane ? plane : null);
    return { sign, level: markLevel, plane, path: line, ...touched };
  }
  const pixels = (tool === "box" ? ellipseInside : pixelsInside)(path, spatial);
  const told = outlinedLeaves(tree, map, pixels, { sign, isPlane });
  return { ...shapeOf(draft), plane, ...(tool === "box" && { box: true }), ...told };
}

// What is selected in images with trees of their own, looked for in the one that a session shows; null where nothing
// is.
export function proposedMark(session) {
  const { image, images: { loaded }, state: { auto } } = session;
  const others = Array.from(loaded.keys()).filter(index => loaded[index] && !session.isRelated(index));
  const examples = others.map(index => ({
    graph: loaded[index].reader.graph, leaves: selectedLeaves(loaded[index], session.ownMarks(index), auto, loaded),
  })).filter(({ leaves }) => leaves.some(inside => inside));
  const leaves = examples.length ? propose(image.reader, examples) : null;
  if (!leaves) return null;
  const inside = Array.from(leaves.keys()).filter(leaf => leaves[leaf] && image.counts[leaf]);
  return { sign: 1, whole: true, leaves: inside.map(leaf => [leaf, image.counts[leaf]]) };
}
