// Condensation as a film, beside the tree that it leaves behind.
// data: frames [T, n, 2], time [T], parent [n], death [n] (the first a little beyond the last merge), leaf [n] of each point, colors [n, 3].

// The region of each leaf that is alive at `time`. parent[i] < i, and regions are numbered by how late they end.
export function regions(parent, death, time) {
  const region = new Int32Array(parent.length);
  for (let i = 0; i < parent.length; i++) region[i] = death[i] > time ? i : region[parent[i]];
  return region;
}

// The rows of the `m` regions that end last: a region lies beside the one that absorbs it.
export function rows(parent, m) {
  const parts = Array.from({ length: m }, () => []), row = new Float64Array(m);
  for (let i = 1; i < m; i++) parts[parent[i]].push(i);
  let next = 0;
  const visit = i => { const half = parts[i].filter((_, k) => k % 2); half.forEach(visit); row[i] = next++; parts[i].filter((_, k) => k % 2 === 0).reverse().forEach(visit); };
  visit(0);
  return row;
}

export function mount(el, data, { html, svg, set, plane, player }) {
  const { frames, time, parent, death, leaf, colors } = data, [T, n] = frames.shape, m = Math.min(parent.length, 40), last = death[0];
  const color = i => `rgb(${colors[3 * i]} ${colors[3 * i + 1]} ${colors[3 * i + 2]})`;
  const cloud = plane(frames.subarray(0, 2 * n), { label: "points that flow together", r: 4 }), ghosts = cloud.dots.map(dot => set(dot.cloneNode(), { r: 1.5, fill: "var(--faint)" }));
  cloud.under.append(...ghosts);

  const row = rows(parent, m), high = 230, wide = 340, x = t => 8 + (wide - 16) * t / last, y = i => 8 + (high - 34) * row[i] / Math.max(1, m - 1);
  const bars = Array.from({ length: m }, (_, i) => svg("path", { d: `M${x(0)} ${y(i)}H${x(death[i])}` + (i ? `V${y(parent[i])}` : ""), fill: "none", stroke: color(i), "stroke-width": 3 }));
  const hand = svg("line", { y1: 2, y2: high - 22, stroke: "var(--ink)", "stroke-width": 1.5 });
  const ticks = Array.from({ length: Math.floor(last / 2) + 1 }, (_, k) => svg("text", { x: x(2 * k), y: high - 6, "text-anchor": "middle" }, String(2 * k)));
  const tree = svg("svg", { viewBox: `0 0 ${wide} ${high}`, width: "100%", role: "img", "aria-label": "the tree of merges" }, ...[...bars].reverse(), hand, ...ticks);

  const count = html("p", { "aria-live": "off" });
  const film = player({ label: "time τ", min: 0, max: T - 1, rate: 12, show: v => time[v].toFixed(2), change: show });
  function show(f) {
    const region = regions(parent, death, time[f]);
    let alive = 0; while (alive < death.length && death[alive] > time[f]) alive++;
    cloud.place(frames, 2 * n * f);
    const mass = new Float64Array(n);
    leaf.forEach(i => mass[region[i]]++);
    cloud.dots.forEach((dot, i) => set(dot, { fill: color(region[leaf[i]]), r: (1.8 + .7 * Math.sqrt(mass[region[leaf[i]]])).toFixed(2) }));
    bars.forEach((bar, i) => bar.setAttribute("opacity", death[i] > time[f] ? 1 : .3));
    set(hand, { x1: x(time[f]), x2: x(time[f]) });
    count.textContent = `${alive} region${alive === 1 ? "" : "s"} left`;
  }
  tree.style.cursor = "pointer";
  tree.addEventListener("click", event => {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(tree.getScreenCTM().inverse()), t = (at.x - 8) / (wide - 16) * last;
    film.play(false); film.set(time.reduce((best, v, f) => Math.abs(v - t) < Math.abs(time[best] - t) ? f : best, 0));
  });
  el.append(film, html("div", { class: "row" }, html("div", {}, html("h4", {}, "The points"), cloud.node, count),
    html("div", {}, html("h4", {}, `The ${m} regions that end last`), tree, html("p", { class: "dim" }, "time τ in doublings of the bandwidth; click to go there"))));
  show(0);
}
