// The contrastive loss on a handful of vectors, and its place in the mixture.
// data: angles [2S] (anchors, then their positives), temperature, lambda, reconstruction.

// NT-Xent of unit vectors in the plane: the loss of each [2S], and how each pushes or pulls the others [2S × 2S] (softmax without itself).
export function contrast(angles, temperature) {
  const n = angles.length, shares = new Float64Array(n * n), loss = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    const e = Array.from(angles, (a, k) => k === i ? 0 : Math.exp((Math.cos(a - angles[i]) - 1) / temperature)), total = e.reduce((s, x) => s + x, 0);
    e.forEach((x, k) => shares[i * n + k] = x / total);
    const partner = (i + n / 2) % n;
    loss[i] = Math.log(total) - (Math.cos(angles[partner] - angles[i]) - 1) / temperature;
  }
  return { shares, loss, mean: loss.reduce((s, x) => s + x, 0) / n };
}

// Angles after one step down the gradient of the mean loss.
export function descend(angles, temperature, rate) {
  const n = angles.length, { shares } = contrast(angles, temperature), slope = new Float64Array(n);
  for (let i = 0; i < n; i++) for (let k = 0; k < n; k++) {
    const weight = (shares[i * n + k] - (k === (i + n / 2) % n)) / temperature / n, turn = Math.sin(angles[k] - angles[i]);
    slope[i] += weight * turn; slope[k] -= weight * turn;
  }
  return Array.from(angles, (a, i) => a - rate * slope[i]);
}

export function mount(el, data, { html, svg, set, slider }) {
  const colors = ["var(--blue)", "var(--orange)", "var(--green)", "var(--purple)", "var(--red)"], first = Array.from(data.angles), n = first.length;
  const R = 110, c = 140, at = a => [c + R * Math.cos(a), c - R * Math.sin(a)];
  let angles = [...first], chosen = 0;
  const lines = Array.from({ length: n }, () => svg("line", { "stroke-linecap": "round" })), dots = first.map((_, i) => svg("circle", { r: 8, fill: colors[i % (n / 2) % colors.length], style: "cursor: pointer", onclick: () => pick.set(i + 1) }));
  const ring = svg("circle", { r: 13, fill: "none", stroke: "var(--ink)", "stroke-width": 1.5 });
  const circle = svg("svg", { viewBox: `0 0 ${2 * c} ${2 * c}`, width: "100%", style: "max-width: 320px; margin: 0 auto", role: "img", "aria-label": "vectors on the unit circle" },
    svg("circle", { cx: c, cy: c, r: R, fill: "none", stroke: "var(--line)" }), ...lines, ...dots, ring);
  const name = i => `${"ABCDE"[i % (n / 2)]}${i < n / 2 ? "" : "′"}`;
  const labels = first.map((_, i) => circle.appendChild(svg("text", { "text-anchor": "middle", "dominant-baseline": "middle" }, name(i))));
  const bars = ["contrast", "reconstruction"].map((words, i) => ({ said: svg("text", { y: 16 + 44 * i }), bar: svg("rect", { x: 0, y: 22 + 44 * i, height: 16, fill: i ? "var(--orange)" : "var(--blue)" }), words }));
  const scale = svg("svg", { viewBox: "0 0 300 90", width: "100%", role: "img", "aria-label": "the two terms of the loss" }, ...bars.flatMap(b => [b.said, b.bar]));
  const about = html("p", { "aria-live": "polite" }), sum = html("p", {});

  const heat = slider({ label: "temperature τ", min: -2, max: .5, step: .05, value: Math.log10(data.temperature), show: v => (10 ** v).toFixed(v < -1 ? 3 : 2), change: draw });
  const pick = slider({ label: "vector", min: 1, max: n, show: v => name(v - 1), change: v => { chosen = v - 1; turn.set(degrees()); } });
  const turn = slider({ label: "its angle", min: 0, max: 359, show: v => `${v}°`, value: degrees(), change: v => { if (v !== degrees()) angles[chosen] = v * Math.PI / 180; draw(); } });
  const weight = slider({ label: "weight λ", min: -4, max: 0, step: .1, value: Math.log10(data.lambda), show: v => (10 ** v).toFixed(v < -2 ? 4 : 2), change: draw });
  function degrees() { return (Math.round(angles[chosen] * 180 / Math.PI) % 360 + 360) % 360; }
  const go = steps => { for (let i = 0; i < steps; i++) angles = descend(angles, 10 ** heat.get(), Math.min(.05, .5 * 10 ** heat.get())); turn.set(degrees()); };

  function draw() {
    const { shares, loss, mean } = contrast(angles, 10 ** heat.get()), partner = (chosen + n / 2) % n, own = at(angles[chosen]);
    dots.forEach((dot, i) => set(dot, { cx: at(angles[i])[0], cy: at(angles[i])[1] }));
    labels.forEach((label, i) => set(label, { x: c + 1.2 * (at(angles[i])[0] - c), y: c + 1.2 * (at(angles[i])[1] - c) }));
    set(ring, { cx: own[0], cy: own[1] });
    lines.forEach((line, i) => {
      const [x, y] = at(angles[i]), share = i === partner ? 1 - shares[chosen * n + i] : shares[chosen * n + i];
      set(line, { x1: own[0], y1: own[1], x2: x, y2: y, stroke: i === partner ? "var(--green)" : "var(--red)", "stroke-width": i === chosen ? 0 : (.3 + 9 * share).toFixed(2), opacity: .75 });
    });
    const strangers = dots.map((_, i) => i).filter(i => i !== chosen && i !== partner), total = strangers.reduce((s, i) => s + shares[chosen * n + i], 0);
    const worst = strangers.reduce((a, b) => shares[chosen * n + a] > shares[chosen * n + b] ? a : b);
    about.textContent = `${name(chosen)} takes ${name(partner)} for its partner with probability ${shares[chosen * n + partner].toFixed(3)}: loss ${loss[chosen].toFixed(3)}, mean of all ${mean.toFixed(3)}. ${Math.round(100 * shares[chosen * n + worst] / total)} % of the push come from ${name(worst)}.`;
    const lambda = 10 ** weight.get(), parts = [lambda * mean, (1 - lambda) * data.reconstruction];
    bars.forEach(({ said, bar, words }, i) => { said.textContent = `${words}: ${parts[i].toPrecision(2)}`; bar.setAttribute("width", (300 * parts[i] / Math.max(...parts)).toFixed(1)); });
    sum.textContent = `λ · ${mean.toFixed(2)} + (1 − λ) · ${data.reconstruction} = ${(parts[0] + parts[1]).toPrecision(2)}`;
  }
  el.append(html("div", { class: "row" }, html("div", {}, circle),
    html("div", {}, heat, pick, turn, html("p", {}, html("button", { type: "button", onclick: () => go(10) }, "ten steps of descent"), " ", html("button", { type: "button", onclick: () => { angles = [...first]; turn.set(degrees()); } }, "back")), about,
      html("h4", {}, "In the mixture"), weight, scale, sum)));
  draw();
}
