// Affinities of one point, the pieces that they connect, and a walk, while the bandwidth changes.
// data: points [n, 2], group [n], start, sigma, threshold.

// The Gaussian kernel [n × n], row after row.
export function affinities(points, sigma) {
  const n = points.length / 2, K = new Float64Array(n * n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j <= i; j++) {
      const squared = (points[2 * i] - points[2 * j]) ** 2 + (points[2 * i + 1] - points[2 * j + 1]) ** 2;
      K[i * n + j] = K[j * n + i] = Math.exp(-squared / sigma ** 2);
    }
  return K;
}

// Where a walker from `start` is after t steps [n].
export function walk(K, start, t) {
  const n = Math.sqrt(K.length), total = new Float64Array(n);
  for (let i = 0; i < K.length; i++) total[Math.floor(i / n)] += K[i];
  let p = new Float64Array(n);
  p[start] = 1;
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

// The pieces that affinities above `threshold` connect: the piece of each point [n], their number, and one link for
// each joined pair of pieces.
export function pieces(K, threshold) {
  const n = Math.sqrt(K.length), up = Int32Array.from({ length: n }, (_, i) => i), links = [], pairs = [];
  const root = i => {
    while (up[i] !== i) i = up[i] = up[up[i]];
    return i;
  };
  for (let i = 0; i < n; i++)
    for (let j = 0; j < i; j++) if (K[i * n + j] > threshold) pairs.push([K[i * n + j], i, j]);
  pairs.sort((a, b) => b[0] - a[0]);
  for (const [, i, j] of pairs) {
    if (root(i) === root(j)) continue;
    up[root(i)] = root(j);
    links.push([i, j]);
  }
  return { piece: up.map((_, i) => root(i)), count: n - links.length, links };
}

const sigmaAt = position => +(.02 * 10 ** (position / 20)).toPrecision(2);       // of the slider
const positionOf = sigma => Math.round(20 * Math.log10(sigma / .02));
const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

function tint(dot, part) {
  dot.style.fill = `color-mix(in srgb, var(--blue) ${Math.round(100 * part)}%, var(--faint))`;
}

// The dots coloured by their affinity to the star, and the links of all pieces.
function neighbourhood({ points, threshold }, { html, svg, plane, star }, pick) {
  const n = points.shape[0], view = plane(points, { label: "affinity to the star", pick });
  const stroke = { fill: "none", stroke: "var(--dim)", "stroke-width": .8, opacity: .8 };
  const lines = view.under.appendChild(svg("path", stroke)), mark = view.over.appendChild(star());
  const about = html("p", { class: "dim", "aria-live": "polite" });
  const place = i => view.to(points[2 * i], points[2 * i + 1]).map(v => v.toFixed(1)).join(" ");
  function draw(K, start) {
    const { piece, count, links } = pieces(K, threshold), size = piece.filter(p => p === piece[start]).length;
    let neighbours = -1;
    view.dots.forEach((dot, i) => {
      tint(dot, K[start * n + i]);
      neighbours += K[start * n + i] > threshold;
    });
    lines.setAttribute("d", links.map(([i, j]) => `M${place(i)}L${place(j)}`).join(""));
    about.textContent = `The star has ${plural(neighbours, "neighbour")} (affinity above ${threshold}). `
      + `Such links join the points into ${plural(count, "piece")}; the star’s holds ${size} of ${n}.`;
  }
  return { view, mark, about, draw };
}

// The dots coloured by the probability that a walker is there.
function whereabouts({ points, group }, { html, plane, star }, pick) {
  const view = plane(points, { label: "where a walker from the star is", pick }), mark = view.over.appendChild(star());
  const about = html("p", { class: "dim", "aria-live": "polite" });
  function draw(K, start, t) {
    const p = walk(K, start, t), top = Math.max(...p);
    view.dots.forEach((dot, i) => tint(dot, Math.sqrt(p[i] / top)));
    const home = p.reduce((sum, v, i) => sum + (group[i] === group[start] ? v : 0), 0);
    about.textContent = `After ${plural(t, "step")} the walker is still in the star’s group `
      + `with probability ${home.toFixed(home > .995 ? 4 : 2)}.`;
  }
  return { view, mark, about, draw };
}

export function mount(el, data, tools) {
  const { html, slider } = tools, { points } = data, n = points.shape[0];
  const pick = i => from.set(i + 1), near = neighbourhood(data, tools, pick), far = whereabouts(data, tools, pick);
  let K, start = data.start;
  const width = slider({ label: "bandwidth σ", min: 0, max: 40, value: positionOf(data.sigma),
    show: v => String(sigmaAt(v)), change: spread });
  const from = slider({ label: "star", min: 1, max: n, value: start + 1, show: v => `point ${v}`, change: move });
  const steps = slider({ label: "steps t", min: 0, max: 10, value: 6, show: v => String(2 ** v), change: go });

  function connect() {
    near.draw(K, start);
    const [x, y] = near.view.to(points[2 * start], points[2 * start + 1]);
    for (const { mark } of [near, far]) mark.setAttribute("transform", `translate(${x} ${y})`);
  }
  function go() {
    far.draw(K, start, 2 ** steps.get());
  }
  function move(point) {
    start = point - 1;
    connect();
    go();
  }
  function spread() {
    K = affinities(points, sigmaAt(width.get()));
    connect();
    go();
  }

  const column = (title, { view, about }) => html("div", {}, html("h4", {}, title), view.node, about);
  const columns = [column("Affinity to the star", near), column("A walker from the star", far)];
  el.append(width, steps, from, html("div", { class: "row" }, ...columns));
  spread();
}
