// Affinities of one point, the pieces that they connect, and a walk, while the bandwidth changes.
// data: points [n, 2], group [n], start, sigma, threshold.

// The Gaussian kernel [n × n], row after row.
export function affinities(points, sigma) {
  const n = points.length / 2, K = new Float64Array(n * n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j <= i; j++)
      K[i * n + j] = K[j * n + i] = Math.exp(-((points[2 * i] - points[2 * j]) ** 2 + (points[2 * i + 1] - points[2 * j + 1]) ** 2) / sigma ** 2);
  return K;
}

// Where a walker from `start` is after t steps [n].
export function walk(K, start, t) {
  const n = Math.sqrt(K.length), total = new Float64Array(n);
  for (let i = 0; i < K.length; i++) total[Math.floor(i / n)] += K[i];
  let p = new Float64Array(n); p[start] = 1;
  for (let step = 0; step < t; step++) {
    const next = new Float64Array(n);
    for (let i = 0; i < n; i++) {
      const out = p[i] / total[i];
      if (out > 1e-15) for (let j = 0; j < n; j++) next[j] += out * K[i * n + j];
    }
    p = next;
  }
  return p;
}

// The pieces that affinities above `threshold` connect: the piece of each point [n], their number, and one link per joined pair of pieces.
export function pieces(K, threshold) {
  const n = Math.sqrt(K.length), up = Int32Array.from({ length: n }, (_, i) => i), links = [];
  const root = i => { while (up[i] !== i) i = up[i] = up[up[i]]; return i; };
  const pairs = [];
  for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) if (K[i * n + j] > threshold) pairs.push([K[i * n + j], i, j]);
  pairs.sort((a, b) => b[0] - a[0]);
  for (const [, i, j] of pairs) if (root(i) !== root(j)) { up[root(i)] = root(j); links.push([i, j]); }
  return { piece: up.map((_, i) => root(i)), count: n - links.length, links };
}

export function mount(el, data, { html, svg, set, slider, plane, star }) {
  const { points, group, threshold } = data, n = points.shape[0];
  let K, start = data.start;
  const near = plane(points, { label: "affinity to the star", pick: choose }), far = plane(points, { label: "where a walker from the star is", pick: choose });
  const lines = near.under.appendChild(svg("path", { fill: "none", stroke: "var(--dim)", "stroke-width": .8, opacity: .8 }));
  const stars = [near, far].map(p => p.over.appendChild(star()));
  const aboutNear = html("p", { class: "dim", "aria-live": "polite" }), aboutWalk = html("p", { class: "dim", "aria-live": "polite" });

  const width = slider({ label: "bandwidth σ", min: 0, max: 40, value: Math.round(20 * Math.log10(data.sigma / .02)), show: v => String(sigma(v)), change: spread });
  const from = slider({ label: "star", min: 1, max: n, value: start + 1, show: v => `point ${v}`, change: v => { start = v - 1; connect(); go(); } });
  const steps = slider({ label: "steps t", min: 0, max: 10, value: 6, show: v => String(2 ** v), change: go });
  function sigma(v) { return +(.02 * 10 ** (v / 20)).toPrecision(2); }
  function choose(i) { from.set(i + 1); }
  const tint = (dot, part) => dot.style.fill = `color-mix(in srgb, var(--blue) ${Math.round(100 * part)}%, var(--faint))`;

  function connect() {
    const { piece, count, links } = pieces(K, threshold), own = piece.filter(p => p === piece[start]).length;
    let neighbours = -1;
    near.dots.forEach((dot, i) => { tint(dot, K[start * n + i]); neighbours += K[start * n + i] > threshold; });
    const at = i => near.to(points[2 * i], points[2 * i + 1]).map(v => v.toFixed(1)).join(" ");
    lines.setAttribute("d", links.map(([i, j]) => `M${at(i)}L${at(j)}`).join(""));
    const [x, y] = near.to(points[2 * start], points[2 * start + 1]);
    for (const s of stars) s.setAttribute("transform", `translate(${x} ${y})`);
    aboutNear.textContent = `The star has ${neighbours} neighbour${neighbours === 1 ? "" : "s"} (affinity above ${threshold}). Such links join the points into ${count} piece${count === 1 ? "" : "s"}; the star’s holds ${own} of ${n}.`;
  }
  function go() {
    const t = 2 ** steps.get(), p = walk(K, start, t), top = Math.max(...p);
    far.dots.forEach((dot, i) => tint(dot, Math.sqrt(p[i] / top)));
    const home = p.reduce((sum, v, i) => sum + (group[i] === group[start] ? v : 0), 0);
    aboutWalk.textContent = `After ${t} step${t === 1 ? "" : "s"} the walker is still in the star’s group with probability ${home.toFixed(home > .995 ? 4 : 2)}.`;
  }
  function spread() { K = affinities(points, sigma(width.get())); connect(); go(); }

  el.append(width, steps, from, html("div", { class: "row" },
    html("div", {}, html("h4", {}, "Affinity to the star"), near.node, aboutNear),
    html("div", {}, html("h4", {}, "A walker from the star"), far.node, aboutWalk)));
  spread();
}
