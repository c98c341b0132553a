// What strokes mean, in their order. Python's `HintReader` answers alike, which notebook 41a checks.
import { N_KNOWN } from "./network.js";

const MOST_LEAVES = 12;     // of a stroke that are looked at
const SURE = 0.6;           // what a marked leaf has at least
const KEPT = 100;           // relations

export class HintReader {
  #relations = new Map();
  #answers = new Map();

  constructor(graph, network) {
    this.graph = graph;
    this.network = network;
  }

  // A stroke of some leaves, each at a place in pixels or, without one, at its centre; none is looked at if none is in
  // the image and it is not `needed`. `exact`: where known, whether each leaf is meant, 1 or 0, or nothing is said, −1.
  stroke(sign, leaves, { places = null, exact = null, needed = false } = {}) {
    const isHere = leaf => this.graph.area[leaf] > 0, nowhere = needed && !leaves.some(isHere);
    const middle = this.graph.shape.map(size => (size - 1) / 2);
    const marks = leaves.map((leaf, i) => ({ leaf, place: nowhere ? middle : places?.[i] ?? this.graph.placeOf(leaf) }))
      .filter(({ leaf }) => nowhere || isHere(leaf)).sort((a, b) => a.leaf - b.leaf);
    const kept = Math.min(marks.length, MOST_LEAVES), nth = i => marks[Math.floor(i * marks.length / kept)];
    const marked = exact ? [] : leaves;
    return { sign, exact, marked, marks: Array.from({ length: kept }, (_, i) => nth(i)) };
  }

  // How likely every leaf belongs to what strokes mean, at least one of them positive. `before`: the answer without the
  // last one, null for none.
  step(strokes, before) {
    const key = JSON.stringify([strokes, before], (_, x) => ArrayBuffer.isView(x) ? Array.from(x) : x);
    if (this.#answers.size > KEPT) this.#answers.clear();
    if (!this.#answers.has(key)) this.#answers.set(key, this.#step(strokes, before));
    return this.#answers.get(key);
  }

  #step(strokes, before) {
    const last = strokes[strokes.length - 1], of = sign => strokes.filter(stroke => stroke.sign === sign);
    const negative = this.#related(of(-1)), anyNegative = of(-1).length > 0;
    const state = this.network.leaves({
      positive: this.#related(of(1)),
      negative,
      last: this.#related([last]),
      known: this.#known(before, last.sign, anyNegative),
    });
    let p = this.network.probabilities(state, this.graph);
    if (last.exact) p = exactly(last, p);
    if (before) p = p.map((x, i) => last.sign > 0 ? Math.max(x, before[i]) : Math.min(x, before[i]));
    return obeyed(p, strokes);
  }

  #known(before, sign, anyNegative) {
    const { n, known: ofLeaves } = this.graph, told = ofLeaves.length / n, known = new Float64Array(n * N_KNOWN);
    for (let i = 0; i < n; i++) {
      known.set(ofLeaves.subarray(i * told, (i + 1) * told), i * N_KNOWN);
      known.set([+anyNegative, +!before, sign, before ? before[i] : 0], i * N_KNOWN + told);
    }
    return known;
  }

  #related(strokes) {
    return strokes.flatMap(stroke => stroke.marks).map(({ leaf, place }) => {
      const key = `${leaf}/${place}`;
      if (this.#relations.size > KEPT) this.#relations.clear();
      if (!this.#relations.has(key)) this.#relations.set(key, this.graph.relation(leaf, place));
      return this.#relations.get(key);
    });
  }
}

// What an exact stroke says, and elsewhere what is thought.
function exactly({ exact, sign }, p) {
  const inside = sign > 0 ? x => Math.max(x, SURE) : () => 1 - SURE;
  const outside = sign > 0 ? x => Math.min(x, 1 - SURE) : () => 1;
  return p.map((x, i) => exact[i] < 0 ? x : exact[i] ? inside(x) : outside(x));
}

// Probabilities whose odds are doubled so many times; marks stay obeyed.
export function grown(p, steps, strokes) {
  if (!steps) return p;
  const factor = 2 ** steps;
  return obeyed(p.map(x => x * factor / (1 - x + x * factor)), strokes);
}

// Probabilities under which every mark lies on its side; a leaf with marks of both signs is inside.
function obeyed(p, strokes) {
  for (const sign of [-1, 1])
    for (const stroke of strokes)
      if (stroke.sign === sign)
        for (const leaf of stroke.marked)
          p[leaf] = sign > 0 ? Math.max(p[leaf], SURE) : Math.min(p[leaf], 1 - SURE);
  return p;
}
