// The regions of a tree that are more than crumbs. Python's `structures` answers alike.

const LEAST = 0.01;     // of the pixels

export function structuresOf(nodes) {
  const { parent, born: bornOf, mass, m } = nodes, total = mass[m - 1];
  const large = Uint8Array.from(mass, (w, v) => +(w >= LEAST * total || v === m - 1)), children = new Int32Array(m);
  for (let v = 0; v < m - 1; v++) children[parent[v]] += large[v];
  const starts = Array.from(parent.keys()).filter(v => large[v] && children[v] !== 1);
  const number = new Int32Array(m).fill(-1), node = Int32Array.from(starts);
  const up = new Int32Array(starts.length).fill(-1);
  starts.forEach((v, s) => { number[v] = s; });
  const ended = new Float64Array(starts.length).fill(Infinity), born = Float64Array.from(starts, v => bornOf[v]);
  for (let v = 0; v < m - 1; v++) {
    if (!large[v]) continue;
    const s = number[v], above = parent[v];
    if (children[above] === 1) {
      number[above] = s;          // it is that child, grown
      node[s] = above;
    } else {
      up[s] = number[above];
      ended[s] = bornOf[above];
    }
  }
  return { node, parent: up, born, ended, share: Float32Array.from(node, v => mass[v] / total) };
}
