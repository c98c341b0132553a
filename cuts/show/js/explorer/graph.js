// The leaves of a tree as they lie in an image, and how each of them is related to a mark. Python's `RegionGraph` and
// `relation` answer alike, which notebook 41a checks.
import { asNumbers, clamp } from "./numbers.js";
import { N_RELATIONS } from "./network.js";

const FARTHEST = 50;
const LARGEST = 0.7;
const MOST = 8;

export class RegionGraph {
  // `facts` as Python's `hint_facts` gives them; `counts`: pixels of each leaf.
  constructor(facts, tree, counts, shape) {
    const { n } = tree, { parent, born, ended, m } = tree.nodes, end = Math.max(born[m - 1], 1e-9);
    for (const name of ["ways", "heard", "known", "vector", "colour", "centre", "rim", "pixel"])
      this[name] = asNumbers(facts[name]);
    Object.assign(this, { n, m, parent, tree, shape, pairs: facts.pairs, axes: shape.length });
    const area = Float64Array.from(counts), nodeRim = tree.sumUp(this.rim), total = area.reduce((a, b) => a + b, 0);
    this.area = area;
    this.nodeArea = tree.sumUp(area);
    this.nodeRim = nodeRim.map(x => x / Math.max(nodeRim[m - 1], 1));
    this.share = area.map(x => x / total);
    this.born = born.map(x => x / end);
    this.ended = ended.map(x => Math.min(x / end, 1.15));
    this.scale = shape.reduce((a, b) => a * b, 1) ** (1 / this.axes);
    this.links = linked(n, this.pairs);
  }

  // The centre of a leaf, in pixels.
  placeOf(leaf) {
    return Array.from({ length: this.axes }, (_, a) => this.centre[leaf * this.axes + a] / this.pixel[a]);
  }

  // How every leaf is related to a mark, [n, 18].
  relation(leaf, place) {
    const { n, axes, centre, pixel, shape, scale } = this, path = this.#path(leaf);
    const here = place.map((x, a) => x * pixel[a]);
    const toRim = Math.min(...here.map((x, a) => Math.min(x + pixel[a], shape[a] * pixel[a] - x)));
    const distance = Float64Array.from({ length: n }, (_, i) => {
      let square = 0;
      for (let a = 0; a < axes; a++) square += (centre[i * axes + a] - here[a]) ** 2;
      return Math.sqrt(square);
    });
    const ofPath = this.#ofPath(path, distance, toRim);
    const ways = [0, 1].map(k => this.farFrom([leaf], k).map(x => Math.min(x, FARTHEST)));
    const numbers = new Float64Array(n * N_RELATIONS), atRim = Math.log2(toRim / scale * 16 + 0.3);
    for (let i = 0; i < n; i++) {
      const joined = path.joined[i], ofLeaf = [
        apart(this.vector, n, leaf, i), apart(this.colour, n, leaf, i), ways[0][i] / 3, ways[1][i] / 3,
        Math.log2(distance[i] / scale * 16 + 0.3), atRim, +(i === leaf),
      ];
      const all = [...ofPath.map(values => values[joined]), ...ofLeaf];
      for (let f = 0; f < N_RELATIONS; f++) numbers[i * N_RELATIONS + f] = clamp(all[f], -MOST, MOST);
    }
    return numbers;
  }

  // The nodes from a leaf to the root, and which of them every leaf joins.
  #path(leaf) {
    const { parent, m, n } = this, node = [leaf], joined = new Int32Array(m).fill(-1);
    while (parent[node[node.length - 1]] >= 0) node.push(parent[node[node.length - 1]]);
    node.forEach((v, k) => { joined[v] = k; });
    for (let v = m - 2; v >= 0; v--) if (joined[v] < 0) joined[v] = joined[parent[v]];
    return { node, joined: joined.subarray(0, n) };
  }

  #room({ node, joined }, distance, toRim) {
    const nearest = new Float64Array(node.length).fill(Infinity), ball = this.axes === 2 ? Math.PI : 4 * Math.PI / 3;
    distance.forEach((far, i) => { nearest[joined[i]] = Math.min(nearest[joined[i]], far); });
    const room = new Float64Array(node.length);
    let outside = Infinity;
    for (let k = node.length - 1; k >= 0; k--) {
      room[k] = Math.min(outside, toRim) / (Math.max(this.nodeArea[node[k]], 1e-9) / ball) ** (1 / this.axes);
      outside = Math.min(outside, nearest[k]);
    }
    return room;
  }

  #ofPath(path, distance, toRim) {
    const { node } = path, { nodeArea, m } = this, pick = values => node.map(v => values[v]);
    const born = pick(this.born), ended = pick(this.ended), area = pick(nodeArea), whole = nodeArea[m - 1];
    const share = area.map(x => (x / whole) ** (2 / this.axes)), life = born.map((x, k) => ended[k] - x);
    const candidate = life.map((x, k) => share[k] < LARGEST ? x : 0), room = this.#room(path, distance, toRim);
    const inner = running(candidate), outer = running([...candidate].reverse()).reverse();
    const before = (values, first) => values.map((_, k) => k ? values[k - 1] : first);
    return [
      before(inner, 0).map(x => 3 * x),
      outer.map(x => 3 * x),
      born,
      ended,
      share.map(x => Math.log2(500 * x + 0.1) / 4),
      life,
      room,
      before(room, room[0]),
      pick(this.nodeRim),
      before(area, area[0]).map((x, k) => Math.log2(Math.max(area[k], 1) / Math.max(x, 1)) / this.axes),
      born.map((x, k) => x - (k ? born[k - 1] : 0)),
    ];
  }

  // How far every leaf is from the nearest of some, over leaves that touch; k: by vectors (0) or by colours (1).
  farFrom(leaves, k = 0) {
    const { n, links, ways, pairs } = this, far = new Float64Array(n).fill(Infinity), done = new Uint8Array(n);
    const half = pairs.length / 2, cost = ways.subarray(k * half, (k + 1) * half), queue = new Queue();
    for (const leaf of leaves) {
      far[leaf] = 0;
      queue.push(0, leaf);
    }
    for (let i = queue.pop(); i !== undefined; i = queue.pop()) {
      if (done[i]) continue;
      done[i] = 1;
      for (const [j, e] of links[i]) {
        const reached = far[i] + cost[e];
        if (reached < far[j]) queue.push(far[j] = reached, j);
      }
    }
    return far;
  }
}

// The leaves that each touches, with the number of the border.
function linked(n, pairs) {
  const half = pairs.length / 2, links = Array.from({ length: n }, () => []);
  for (let e = 0; e < half; e++) {
    links[pairs[e]].push([pairs[half + e], e]);
    links[pairs[half + e]].push([pairs[e], e]);
  }
  return links;
}

// The largest of all until each.
function running(values) {
  let most = -Infinity;
  return values.map(x => most = Math.max(most, x));
}

function apart(x, n, a, b) {
  const width = x.length / n;
  let square = 0;
  for (let j = 0; j < width; j++) square += (x[a * width + j] - x[b * width + j]) ** 2;
  return Math.sqrt(square);
}

// What is nearest comes first.
class Queue {
  #entries = [];

  push(far, leaf) {
    const entries = this.#entries;
    let i = entries.push([far, leaf]) - 1;
    for (let up = i - 1 >> 1; i && entries[up][0] > far; i = up, up = i - 1 >> 1)
      [entries[i], entries[up]] = [entries[up], entries[i]];
  }

  pop() {
    const entries = this.#entries, first = entries[0], last = entries.pop();
    if (entries.length) {
      entries[0] = last;
      for (let i = 0, next = this.#nearer(i); next !== i; i = next, next = this.#nearer(i))
        [entries[i], entries[next]] = [entries[next], entries[i]];
    }
    return first?.[1];
  }

  // Of an entry and the two below it the nearest.
  #nearer(i) {
    const entries = this.#entries;
    let best = i;
    for (const below of [2 * i + 1, 2 * i + 2])
      if (below < entries.length && entries[below][0] < entries[best][0]) best = below;
    return best;
  }
}
