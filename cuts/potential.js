// Points of the plane beside their diffusion potential, while the walk gets longer.
// data: points [n, 2], group [n], steps [T], potential [T, n, 2], labels [T, n], agreement [T].

// Positions between two frames of [T, n, 2], at a fraction of the way.
export function between(frames, at) {
  const size = frames.shape[1] * 2, f = Math.min(Math.floor(at), frames.shape[0] - 1), g = Math.min(f + 1, frames.shape[0] - 1), part = at - f;
  return Float32Array.from({ length: size }, (_, i) => (1 - part) * frames[f * size + i] + part * frames[g * size + i]);
}

export function mount(el, data, { html, svg, set, slider, choice, plane, star }) {
  const { points, group, steps, potential, labels, agreement } = data, [T, n] = potential.shape;
  const colors = ["var(--blue)", "var(--orange)", "var(--green)", "var(--red)", "var(--purple)"];
  let shown = "clusters", marked = 0;
  const cloud = plane(points, { r: 2.8, label: "points of the plane", pick: mark }), other = plane(between(potential, 0), { bounds: [0, 0, 1, .62], r: 2.8, label: "their diffusion potential", pick: mark });
  const stars = [cloud, other].map(p => p.over.appendChild(star())), about = html("p", { class: "dim", "aria-live": "polite" });
  const long = slider({ label: "steps t", min: 0, max: T - 1, step: .1, value: 0, show: v => String(Math.round(2 ** v)), change: draw });
  const kind = choice({ label: "colours", options: [["clusters", "spectral k-means"], ["truth", "truth"]], value: shown, change: v => { shown = v; draw(); } });
  const which = slider({ label: "star", min: 1, max: n, show: v => `point ${v}`, change: v => { marked = v - 1; draw(); } });
  function mark(i) { which.set(i + 1); }
  function draw() {
    const at = long.get(), f = Math.round(at), where = between(potential, at);
    other.place(where);
    for (const p of [cloud, other]) p.dots.forEach((dot, i) => dot.style.fill = colors[(shown === "truth" ? group[i] : labels[f * n + i]) % colors.length]);
    [cloud.to(points[2 * marked], points[2 * marked + 1]), other.to(where[2 * marked], where[2 * marked + 1])].forEach(([x, y], k) => stars[k].setAttribute("transform", `translate(${x} ${y})`));
    about.textContent = `Spectral k-means with t = ${steps[f]}: agreement with the truth ${agreement[f].toFixed(2)} (1 is perfect, 0 is chance).`;
  }
  el.append(long, which, kind, html("div", { class: "row" }, html("div", {}, html("h4", {}, "Points"), cloud.node), html("div", {}, html("h4", {}, "Their potential"), other.node)), about);
  draw();
}
