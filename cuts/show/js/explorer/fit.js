// Marks that choose their level: the nodes of a tree that hold the positive marks without the negative ones, each where
// it rests longest. Python's `fit_marks` answers alike, which notebook 41 checks.
import { sum } from "./numbers.js";

const COST = 0.02;      // of one more node, as a share of the positive marks
const TOLERANCE = 0.1;  // by how much a region grows while it still counts as at rest
const LARGEST = 0.9;    // a region of more than this share of the image is background, not a structure

// The disjoint nodes that are worth most together; of equally good choices the larger nodes.
function bestDisjoint(tree, value) {
  const { parent, m } = tree.nodes, best = new Float64Array(m), parts = new Float64Array(m);
  const chosen = new Uint8Array(m), covered = new Uint8Array(m);
  for (let v = 0; v < m; v++) {
    best[v] = Math.max(value[v], 0, parts[v]);
    chosen[v] = value[v] > 0 && value[v] >= parts[v] * (1 - 1e-12);
    if (parent[v] >= 0) parts[parent[v]] += best[v];
  }
  for (let v = m - 2; v >= 0; v--) covered[v] = covered[parent[v]] | chosen[parent[v]];
  return Array.from(chosen.keys()).filter(v => chosen[v] && !covered[v]);
}

// Of a growing region the node at which it rests longest, at the end of that rest. `path`: nodes, each in the next.
function bestRest(tree, path) {
  const { mass, born, ended, m } = tree.nodes, start = path.map(v => born[v]), last = ended[path[path.length - 1]];
  let longest = -Infinity, best = 0;
  path.forEach((v, i) => {
    let until = path.findIndex(u => mass[u] > mass[v] * (1 + TOLERANCE));
    if (until < 0) until = path.length;
    const end = until < path.length ? start[until] : last;
    const rest = mass[v] > LARGEST * mass[m - 1] || end === Infinity ? -1 : end - start[i];
    if (rest > longest) {
      longest = rest;
      best = until - 1;
    }
  });
  return path[best];
}

function pathToRoot(parent, v) {
  const path = [v];
  while (parent[path[path.length - 1]] >= 0) path.push(parent[path[path.length - 1]]);
  return path;
}

// What part of the marks each node holds.
function shares(tree, marks) {
  const total = sum(marks) || 1e-300;
  return tree.sumUp(marks.map(x => x / total));
}

// The single node with the most for it, where marks contradict each other.
function leastBad(positive, worth) {
  let best = null;
  positive.forEach((share, v) => {
    if (share > 0 && (best === null || worth[v] > worth[best])) best = v;
  });
  return best === null ? [] : [best];
}

// `positive`, `negative`: marked pixels of each leaf; `negative` may be null.
export function fitMarks(tree, positive, negative) {
  const { parent, mass, m } = tree.nodes;
  const inFavour = shares(tree, positive), against = negative ? shares(tree, negative) : new Float64Array(m);
  const smallness = mass.map(x => 1e-6 * x / mass[m - 1]);                // of equals the smaller
  let nodes = bestDisjoint(tree, inFavour.map((x, v) => x - against[v] - COST - smallness[v]));
  if (!nodes.length) nodes = leastBad(inFavour, inFavour.map((x, v) => x - against[v] - smallness[v]));
  const held = new Int32Array(m);                                         // how many of these each node holds
  for (const v of nodes) held[v] = 1;
  for (let v = 0; v < m - 1; v++) held[parent[v]] += held[v];
  const grown = nodes.map(v => {
    const alone = pathToRoot(parent, v).filter(u => held[u] === 1 && against[u] <= against[v] + 1e-12);
    return bestRest(tree, alone);
  });
  return [...new Set(grown)];
}
