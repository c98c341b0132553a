// What is drawn with a tool, or proposed, until it is a mark.
import { touchedLeaves } from "./marks.js";
import { outlinedLeaves } from "./outline.js";
import { propose } from "./proposal.js";
import { select } from "./selection.js";

const SMALL = 1;        // pixels from its start; a box or a lasso that goes no farther is a click

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
export function markOf(draft, { image, view, plane: { map }, state, markLevel }) {
  const { path, sign, tool } = draft, isPlane = image.shape.length === 3, isBox = tool === "box";
  const place = { plane: state.plane, ...(view.axis > 0 && { axis: view.axis }) };
  if (tool === "brush" || isClick(path)) {
    const line = tool === "brush" ? path : path.slice(0, 1);
    const touched = touchedLeaves(map, view, line, isPlane ? state.plane : null);
    return { sign, level: markLevel, ...place, path: line, ...touched };
  }
  const told = outlinedLeaves(image.reader.graph, map, view.spatial, { path, isBox, sign, isPlane });
  return { ...shapeOf(draft), ...place, ...told };
}

// The mark that what is selected in other images, with trees of their own, suggests for the one that a session shows,
// and the names of these images; an Error where nothing does.
export async function proposedMark(session) {
  const { image, images, state } = session, examples = [];
  const reviewed = new Set(state.marks.filter(mark => !mark.proposed).map(mark => mark.image));
  const others = [...reviewed].filter(index => images.loaded[index] && !session.isRelated(index));
  for (const index of others.sort((a, b) => a - b)) {
    const { map } = await images.plane(index, 0), { leaves, any, mask } = select(session, index, map);
    const image = images.loaded[index], inside = await session.cleaning.partsOfLeaves(index);
    const part = inside ? Float64Array.from(image.counts, (area, leaf) => area ? inside[leaf] / area : 0) : null;
    if (any) examples.push({ image, meant: part ?? (mask ? shares(mask, map, leaves.length) : leaves) });
  }
  if (!examples.length)
    throw new Error("Mark a structure in another image first: what is selected there is then looked for here.");
  const leaves = propose(image, examples), inside = Array.from(leaves.keys()).filter(leaf => leaves[leaf]);
  if (!inside.some(leaf => image.counts[leaf]))
    throw new Error("Nothing here is like what is selected in other images.");
  const mark = { sign: 1, whole: true, proposed: true, leaves: inside.map(leaf => [leaf, image.counts[leaf]]) };
  return { mark, names: examples.map(example => example.image.name) };
}

// The part of each leaf that lies in a mask.
function shares(mask, map, n) {
  const hit = new Float64Array(n), area = new Float64Array(n);
  for (let i = 0; i < map.length; i++) {
    area[map[i]]++;
    hit[map[i]] += mask[i];
  }
  return hit.map((x, leaf) => area[leaf] ? x / area[leaf] : 0);
}
