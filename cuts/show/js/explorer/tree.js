// The tree of merges. Leaves are landmarks; `parent[i] < i` is the region that absorbs region i at `death[i]`. Python's
// `CondensationTree` answers alike, which notebook 41 checks.

// Numbers of 64 bits, which travel as twice as many of 32.
export function asDoubles(numbers) {
  if (!(numbers instanceof Uint32Array)) return numbers;
  return new Float64Array(numbers.buffer, numbers.byteOffset, numbers.length / 2);
}

const counting = n => Int32Array.from({ length: n }, (_, i) => i);

export class Tree {
  #nodes = null;
  #heirs = null;

  constructor({ parent, death, mass }) {
    this.parent = parent;
    this.death = asDoubles(death);
    this.mass = asDoubles(mass);
    this.n = parent.length;
  }

  equals(other) {
    const sameValues = (a, b) => a.every((value, i) => value === b[i]);
    return this.n === other.n && sameValues(this.parent, other.parent) && sameValues(this.death, other.death);
  }

  // The region of each leaf, from 0, in the finest partition of at most k regions.
  labels(k) {
    const region = new Int32Array(this.n);
    for (let i = 0; i < this.n; i++) region[i] = i < k ? i : region[this.parent[i]];
    return region;
  }

  // Every region that ever exists, children before parents; the first n are the leaves.
  get nodes() {
    this.#nodes ??= this.#build();
    return this.#nodes;
  }

  #build() {
    const { n } = this, m = 2 * n - 1, current = counting(n);
    const parent = new Int32Array(m).fill(-1), born = new Float64Array(m), ended = new Float64Array(m).fill(Infinity);
    for (let k = n - 1; k > 0; k--) {
      const heir = this.parent[k], made = m - k;
      for (const child of [current[heir], current[k]]) {
        parent[child] = made;
        ended[child] = this.death[k];
      }
      born[made] = this.death[k];
      current[heir] = made;
    }
    return { parent, born, ended, m, mass: sumUp(this.mass, parent) };
  }

  // Of every node that is no leaf the child that passes its number (and colour) on; −1 of leaves.
  get heirs() {
    if (this.#heirs) return this.#heirs;
    const { n } = this, m = 2 * n - 1, heirs = new Int32Array(m).fill(-1), current = counting(n);
    for (let k = n - 1; k > 0; k--) {
      heirs[m - k] = current[this.parent[k]];
      current[this.parent[k]] = m - k;
    }
    this.#heirs = heirs;
    return heirs;
  }

  // The leaf whose number a node carries.
  leafOf(node) {
    while (node >= this.n) node = this.heirs[node];
    return node;
  }

  // The sum of something over the leaves of every node.
  sumUp(values) {
    return sumUp(values, this.nodes.parent);
  }

  // Which leaves lie in some nodes, as ones and zeros.
  leavesIn(nodes) {
    const { parent, m } = this.nodes, inside = new Uint8Array(m);
    for (const v of nodes) inside[v] = 1;
    for (let v = m - 2; v >= 0; v--) inside[v] |= inside[parent[v]];
    return inside.slice(0, this.n);
  }
}

function sumUp(values, parent) {
  const total = new Float64Array(parent.length);
  total.set(values);
  for (let v = 0; v < parent.length - 1; v++) total[parent[v]] += total[v];
  return total;
}
