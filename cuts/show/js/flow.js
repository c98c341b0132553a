// Condensation as a film, beside the tree that it leaves behind.
// data: frames [T, n, 2], time [T], parent [n], death [n] (the first a little beyond the last merge), leaf [n] of each
//   point, colors [n, 3].

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
  const visit = i => {
    const above = parts[i].filter((_, k) => k % 2), below = parts[i].filter((_, k) => k % 2 === 0).reverse();
    above.forEach(visit);
    row[i] = next++;
    below.forEach(visit);
  };
  visit(0);
  return row;
}

const HIGH = 230, WIDE = 340, MOST = 40;     // the drawing of the tree, and how many regions it has

function colorOf(colors, i) {
  return `rgb(${colors[3 * i]} ${colors[3 * i + 1]} ${colors[3 * i + 2]})`;
}

// The points as they are in a frame, large where many have become one, with shadows where they were.
function makeCloud({ frames, leaf, colors }, { set, plane }) {
  const [, n] = frames.shape, cloud = plane(frames.subarray(0, 2 * n), { label: "points that flow together", r: 4 });
  cloud.under.append(...cloud.dots.map(dot => set(dot.cloneNode(), { r: 1.5, fill: "var(--faint)" })));
  function draw(frame, region) {
    const mass = new Float64Array(n);
    leaf.forEach(i => mass[region[i]]++);
    cloud.place(frames, 2 * n * frame);
    cloud.dots.forEach((dot, i) => {
      const alive = region[leaf[i]];
      set(dot, { fill: colorOf(colors, alive), r: (1.8 + .7 * Math.sqrt(mass[alive])).toFixed(2) });
    });
  }
  return { node: cloud.node, draw };
}

// The tree of merges, with a hand at a time; `goTo(time)` is called where it is clicked.
function makeTree({ parent, death, colors }, { svg, set, pointIn }, goTo) {
  const m = Math.min(parent.length, MOST), last = death[0], row = rows(parent, m);
  const x = time => 8 + (WIDE - 16) * time / last, y = i => 8 + (HIGH - 34) * row[i] / Math.max(1, m - 1);
  const bar = i => {
    const d = `M${x(0)} ${y(i)}H${x(death[i])}` + (i ? `V${y(parent[i])}` : "");
    return svg("path", { d, fill: "none", stroke: colorOf(colors, i), "stroke-width": 3 });
  };
  const tick = time => svg("text", { x: x(time), y: HIGH - 6, "text-anchor": "middle" }, String(time));
  const bars = Array.from({ length: m }, (_, i) => bar(i));
  const ticks = Array.from({ length: Math.floor(last / 2) + 1 }, (_, k) => tick(2 * k));
  const hand = svg("line", { y1: 2, y2: HIGH - 22, stroke: "var(--ink)", "stroke-width": 1.5 });
  const box = { viewBox: `0 0 ${WIDE} ${HIGH}`, width: "100%", role: "img", "aria-label": "the tree of merges" };
  const node = svg("svg", box, ...[...bars].reverse(), hand, ...ticks);
  node.style.cursor = "pointer";
  node.addEventListener("click", event => goTo((pointIn(node, event).x - 8) / (WIDE - 16) * last));
  function draw(time) {
    bars.forEach((path, i) => path.setAttribute("opacity", death[i] > time ? 1 : .3));
    set(hand, { x1: x(time), x2: x(time) });
  }
  return { node, m, draw };
}

export function mount(el, data, tools) {
  const { html, player } = tools, { time, parent, death } = data, cloud = makeCloud(data, tools);
  const tree = makeTree(data, tools, clicked => {
    film.play(false);
    film.set(time.reduce((best, t, f) => Math.abs(t - clicked) < Math.abs(time[best] - clicked) ? f : best, 0));
  });
  const count = html("p", { "aria-live": "off" });
  const film = player({ label: "time τ", min: 0, max: time.length - 1, rate: 12, show: f => time[f].toFixed(2),
    change: show });
  function show(frame) {
    const dead = death.findIndex(end => end <= time[frame]), alive = dead < 0 ? death.length : dead;
    cloud.draw(frame, regions(parent, death, time[frame]));
    tree.draw(time[frame]);
    count.textContent = `${alive} region${alive === 1 ? "" : "s"} left`;
  }
  const help = html("p", { class: "dim" }, "time τ in doublings; click to go there");
  const columns = [html("div", {}, html("h4", {}, "The points"), cloud.node, count),
    html("div", {}, html("h4", {}, `The ${tree.m} regions that end last`), tree.node, help)];
  el.append(film, html("div", { class: "row" }, ...columns));
  show(0);
}
