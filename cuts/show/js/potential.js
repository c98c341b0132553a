// Points of the plane beside their diffusion potential, while the walk gets longer.
// data: points [n, 2], group [n], steps [T], potential [T, n, 2], labels [T, n], agreement [T].

// Positions between two frames of [T, n, 2]; `position` is the number of a frame and a fraction of the way to the next.
export function between(frames, position) {
  const [T, n] = frames.shape, size = 2 * n, part = position - Math.min(Math.floor(position), T - 1);
  const first = Math.min(Math.floor(position), T - 1) * size, second = Math.min(Math.floor(position) + 1, T - 1) * size;
  return Float32Array.from({ length: size }, (_, i) => (1 - part) * frames[first + i] + part * frames[second + i]);
}

const COLORS = ["var(--blue)", "var(--orange)", "var(--green)", "var(--red)", "var(--purple)"];

export function mount(el, data, { html, slider, choice, plane, star }) {
  const { points, group, steps, potential, labels, agreement } = data, [T, n] = potential.shape, r = 2.8;
  let kinds = "clusters", marked = 0;
  const pick = i => which.set(i + 1), bounds = [0, 0, 1, .62];
  const cloud = plane(points, { r, label: "points of the plane", pick });
  const other = plane(between(potential, 0), { bounds, r, label: "their diffusion potential", pick });
  const stars = [cloud, other].map(view => view.over.appendChild(star()));
  const about = html("p", { class: "dim", "aria-live": "polite" });
  const long = slider({ label: "steps t", min: 0, max: T - 1, step: .1, value: 0, show: v => String(Math.round(2 ** v)),
    change: draw });
  const kind = choice({ label: "colours", options: [["clusters", "spectral k-means"], ["truth", "truth"]], value: kinds,
    change: v => { kinds = v; draw(); } });
  const which = slider({ label: "star", min: 1, max: n, show: v => `point ${v}`,
    change: v => { marked = v - 1; draw(); } });

  function draw() {
    const frame = Math.round(long.get()), positions = between(potential, long.get());
    const kindOf = i => kinds === "truth" ? group[i] : labels[frame * n + i];
    other.place(positions);
    for (const view of [cloud, other])
      view.dots.forEach((dot, i) => { dot.style.fill = COLORS[kindOf(i) % COLORS.length]; });
    [[cloud, points], [other, positions]].forEach(([view, where], k) => {
      const [x, y] = view.to(where[2 * marked], where[2 * marked + 1]);
      stars[k].setAttribute("transform", `translate(${x} ${y})`);
    });
    about.textContent = `Spectral k-means with t = ${steps[frame]}: agreement with the truth `
      + `${agreement[frame].toFixed(2)} (1 is perfect, 0 is chance).`;
  }
  const column = (title, view) => html("div", {}, html("h4", {}, title), view.node);
  const columns = [column("Points", cloud), column("Their potential", other)];
  el.append(long, which, kind, html("div", { class: "row" }, ...columns), about);
  draw();
}
