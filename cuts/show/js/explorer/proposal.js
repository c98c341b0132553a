// What masks of other images suggest for one. Python's `propose` answers alike, which notebook 41a checks.
import { fitOutline } from "./outline.js";

const COLOUR = 6, PLACE = 15;           // how soon leaves that differ in these have nothing to say to each other
const LIKELY = 0.7, UNLIKELY = 0.15;    // from where leaves are shown to the network as marks
const MOST_MARKS = 12;
const LEAST = 0.05;                     // that some leaf has where anything is proposed
const LARGEST = 0.5;                    // part of an image; what is larger is not looked at as a region

// The leaves of an image that examples suggest, as ones and zeros; none if nothing is likely. `examples`: { image,
// meant }, where `meant` tells the part of each leaf of that image that was meant. An Error where none can be compared.
export function propose({ reader, kept }, examples) {
  const { graph } = reader, kind = ({ graph: { colour, n, axes } }) => `${colour.length / n} channels and ${axes} axes`;
  if (!kept) throw new Error("The image was not kept, so there are no colours to compare.");
  const known = examples.filter(({ image }) => image.kept && kind(image.reader) === kind(reader));
  if (!known.length)
    throw new Error(`What is selected elsewhere is not in an image of ${kind(reader)}, as this one is.`);
  const asked = known.map(({ image, meant }) => ({ graph: image.reader.graph, meant }));
  const p = asMarks(reader, alongPaths(graph, likeExamples(graph, asked)));
  if (!p.some((x, leaf) => x >= LEAST && graph.area[leaf] > 0)) return new Uint8Array(graph.n);
  return fitOutline(graph.tree, p.map((x, i) => x * graph.area[i]), graph.area);
}

// Colour and place of a leaf, in such units that the square of a distance says how unlike two leaves are.
function describe({ colour, centre, pixel, shape, n, axes }, leaf) {
  const c = colour.length / n, told = [];
  for (let k = 0; k < c; k++) told.push(Math.sqrt(COLOUR) * colour[leaf * c + k]);
  for (let a = 0; a < axes; a++)
    told.push(Math.sqrt(12 * PLACE / axes) * ((centre[leaf * axes + a] / pixel[a] + 0.5) / shape[a]));
  return told;
}

const describeAll = graph =>
  Array.from({ length: graph.n }, (_, leaf) => graph.area[leaf] > 0 ? describe(graph, leaf) : null);

// For every leaf how much of what is like it was meant in the examples.
function likeExamples(graph, examples) {
  const others = examples.flatMap(example => describeAll(example.graph).map((told, leaf) =>
    ({ told, weight: example.graph.share[leaf], meant: example.meant[leaf] }))).filter(({ told }) => told);
  return Float64Array.from(describeAll(graph), told => {
    if (!told) return 0;
    const unlike = others.map(other => other.told.reduce((total, x, k) => total + (x - told[k]) ** 2, 0));
    const least = unlike.reduce((a, b) => Math.min(a, b));
    let all = 0, meant = 0;
    others.forEach((other, j) => {
      const weight = other.weight * Math.exp(least - unlike[j]);
      all += weight;
      meant += weight * other.meant;
    });
    return meant / all;
  });
}

// Of every leaf the mean of the regions that it grows into, each as important as it lives long.
function alongPaths(graph, p) {
  const { tree, parent, m, n, nodeArea, born, ended, area } = graph, sums = tree.sumUp(p.map((x, i) => x * area[i]));
  const total = new Float64Array(m), life = new Float64Array(m);
  for (let v = m - 1; v >= 0; v--) {
    const isRegion = nodeArea[v] > 0 && nodeArea[v] < LARGEST * nodeArea[m - 1], up = parent[v];
    const lives = isRegion ? ended[v] - born[v] : 0;
    life[v] = lives + (up < 0 ? 0 : life[up]);
    total[v] = (lives ? lives * sums[v] / nodeArea[v] : 0) + (up < 0 ? 0 : total[up]);
  }
  return p.map((x, i) => life[i] > 0 ? total[i] / life[i] : x);
}

// What is likely and what is not, shown to the network of hints as two strokes; the mean of both answers.
function asMarks(reader, p) {
  const { area } = reader.graph, leaves = Array.from(p.keys()).filter(leaf => area[leaf] > 0);
  const most = (chosen, worth) => chosen.sort((a, b) => worth(b) - worth(a)).slice(0, MOST_MARKS);
  const likely = most(leaves.filter(leaf => p[leaf] > LIKELY), leaf => p[leaf] * area[leaf]);
  const unlikely = most(leaves.filter(leaf => p[leaf] < UNLIKELY), leaf => area[leaf]);
  if (!likely.length) return p;
  const strokes = [reader.stroke(1, likely), ...(unlikely.length ? [reader.stroke(-1, unlikely)] : [])];
  const read = strokes.reduce((before, _, i) => reader.step(strokes.slice(0, i + 1), before), null);
  return p.map((x, i) => (x + read[i]) / 2);
}
