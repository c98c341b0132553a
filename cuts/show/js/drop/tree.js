// The tree of merges: `parent[i] < i` absorbed region i at `death[i]`. Python's `CondensationTree` answers alike.

// Points numbered by how late they end: the tree, and the leaf of each point.
export function fromMerges(merges, times, mass) {
  const n = mass.length, absorbed = merges.map(([gone]) => gone).reverse(), gone = new Set(absorbed);
  const points = [Array.from(mass.keys()).find(i => !gone.has(i)), ...absorbed], leaf = new Int32Array(n);
  points.forEach((point, i) => { leaf[point] = i; });
  const parent = new Int32Array(n);
  for (const [child, heir] of merges) parent[leaf[child]] = leaf[heir];
  const death = Float64Array.from([Infinity, ...times.slice().reverse()]);
  return { tree: { n, parent, death, mass: Float64Array.from(points, i => mass[i]) }, leaf };
}

// Every region that ever exists, children before parents; the first n are the leaves.
export function nodesOf({ n, parent: absorber, death, mass }) {
  const m = 2 * n - 1, current = Int32Array.from({ length: n }, (_, i) => i), region = new Int32Array(m);
  const parent = new Int32Array(m).fill(-1), born = new Float64Array(m), ended = new Float64Array(m).fill(Infinity);
  region.set(current);
  for (let k = n - 1; k > 0; k--) {
    const heir = absorber[k], made = m - k;
    for (const child of [current[heir], current[k]]) {
      parent[child] = made;
      ended[child] = death[k];
    }
    region[made] = heir;
    born[made] = death[k];
    current[heir] = made;
  }
  return { m, parent, region, born, ended, mass: sumUp(parent, mass) };
}

// The sum over the leaves of every node of `width` numbers each.
export function sumUp(parent, ofLeaves, width = 1) {
  const total = new Float64Array(parent.length * width);
  total.set(ofLeaves);
  for (let v = 0; v < parent.length - 1; v++)
    for (let k = 0; k < width; k++) total[parent[v] * width + k] += total[v * width + k];
  return total;
}

// The two children of node n, n + 1, …, the smaller number first.
export function childrenOf(parent) {
  const n = (parent.length + 1) / 2, children = Array.from({ length: n - 1 }, () => []);
  for (let v = 0; v < parent.length - 1; v++) children[parent[v] - n].push(v);
  return children;
}

// The region of each leaf in the finest partition of at most k regions.
export function labels({ n, parent }, k) {
  const region = new Int32Array(n);
  for (let i = 0; i < n; i++) region[i] = i < k ? i : region[parent[i]];
  return region;
}

// Numbers of regions of the partitions that last, from fine to coarse.
export function salientLevels({ n, death }, leastLife = 0.2, most = 60, atLeast = 5) {
  if (n === 1) return [1];
  const finest = Math.max(2, Math.min(most, n - 1)), ks = Array.from({ length: finest - 1 }, (_, i) => i + 2);
  const life = k => death[k - 1] - (k < n ? death[k] : 0);
  const lasting = ks.filter(k => life(k) >= leastLife - 1e-9);
  if (lasting.length >= atLeast) return lasting.reverse();
  return ks.sort((a, b) => life(b) - life(a)).slice(0, atLeast).sort((a, b) => b - a);
}
