// Several condensations of the same points agree on one tree. Python's `consensus` answers alike, with SciPy's linkage.

// `orders`: { merges, times } of each; `one`: pairs [n × n] that meet first, or null.
export function consensus(orders, mass, one = null) {
  const n = mass.length;
  if (orders.length === 1 || n < 3) return orders[0];
  const mean = meanHeights(orders, n);
  if (one) for (let i = 0; i < n * n; i++) if (one[i]) mean[i] = 0;
  const joined = averageLinkage(mean, n), name = Array.from(mass.keys()), weight = Array.from(mass);
  const merges = joined.map(([a, b]) => {
    const [heir, absorbed] = weight[a] >= weight[b] ? [a, b] : [b, a];
    weight.push(weight[a] + weight[b]);
    name.push(name[heir]);
    return [name[absorbed], name[heir]];
  });
  const { times } = orders[0], at = interpolated(joined.map(j => j[2]), mergeHeights(times), times);
  for (let i = 1; i < at.length; i++) at[i] = Math.max(at[i], at[i - 1]);
  return { merges, times: at };
}

// The height of each merge, from how many regions are left after its time.
function mergeHeights(times) {
  const n = times.length + 1, heights = new Float64Array(n - 1);
  for (let end = n - 1, i = n - 2; i >= 0; i--) {
    if (times[i] !== times[end - 1]) end = i + 1;
    heights[i] = Math.log2(n / (n - end));
  }
  return heights;
}

// At which height any two points meet, as the mean over condensations; in float32, as in Python.
function meanHeights(orders, n) {
  const mean = new Float32Array(n * n);
  for (const { merges, times } of orders) {
    const heights = mergeHeights(times), members = Array.from({ length: n }, (_, i) => [i]);
    merges.forEach(([absorbed, heir], m) => {
      const height = Math.fround(heights[m]);
      for (const i of members[heir])
        for (const j of members[absorbed]) {
          mean[i * n + j] += height;
          mean[j * n + i] += height;
        }
      members[heir] = members[heir].concat(members[absorbed]);
    });
  }
  return Float64Array.from(mean, sum => Math.fround(sum / orders.length));
}

// Rows [a, b, distance] of average linkage, by chains of nearest neighbours (Müllner 2011). D is spent.
export function averageLinkage(D, n) {
  const size = new Float64Array(n).fill(1), chain = [], joined = [];
  while (joined.length < n - 1) {
    if (!chain.length) chain.push(size.findIndex(s => s > 0));
    const { y, least } = nextInChain(D, n, size, chain);
    if (y !== chain[chain.length - 2]) {
      chain.push(y);
      continue;
    }
    const [a, b] = [chain.pop(), chain.pop()].sort((i, j) => i - j);      // b takes a up
    for (let i = 0; i < n; i++) {
      if (!size[i] || i === a || i === b) continue;
      D[i * n + b] = D[b * n + i] = (size[a] * D[i * n + a] + size[b] * D[i * n + b]) / (size[a] + size[b]);
    }
    size[b] += size[a];
    size[a] = 0;
    joined.push([a, b, least]);
  }
  return numbered(joined.sort((p, q) => p[2] - q[2]), n);
}

// The nearest neighbour of the last of a chain; of equally near ones the one before it, else the first.
function nextInChain(D, n, size, chain) {
  const x = chain[chain.length - 1], before = chain.length > 1 ? chain[chain.length - 2] : -1;
  let y = before, least = before < 0 ? Infinity : D[x * n + before];
  for (let i = 0; i < n; i++)
    if (size[i] && i !== x && D[x * n + i] < least) {
      least = D[x * n + i];
      y = i;
    }
  return { y, least };
}

// Rows that name points turned into such that name what has been joined, from n on.
function numbered(joined, n) {
  const parent = Int32Array.from({ length: 2 * n - 1 }, (_, i) => i);
  const root = i => {
    while (parent[i] !== i) i = parent[i] = parent[parent[i]];
    return i;
  };
  return joined.map(([a, b, distance], k) => {
    const [x, y] = [root(a), root(b)].sort((i, j) => i - j);
    parent[x] = parent[y] = n + k;
    return [x, y, distance];
  });
}

// Numbers at places between known ones, linearly.
function interpolated(places, known, values) {
  const last = known.length - 1;
  return places.map(place => {
    if (place >= known[last]) return values[last];
    if (place < known[0]) return values[0];
    let low = 0, high = last;
    while (high - low > 1) {
      const middle = low + high >> 1;
      if (known[middle] <= place) low = middle; else high = middle;
    }
    return (values[low + 1] - values[low]) / (known[low + 1] - known[low]) * (place - known[low]) + values[low];
  });
}
