// The contrastive loss on a handful of vectors, and its place in the mixture.
// data: angles [2S] (anchors, then their positives), temperature, lambda, reconstruction.

// NT-Xent of unit vectors in the plane: the loss of each [2S], and how each pushes or pulls the others [2S × 2S], a
// softmax without itself.
export function contrast(angles, temperature) {
  const n = angles.length, shares = new Float64Array(n * n), loss = new Float64Array(n);
  const logit = (i, k) => (Math.cos(angles[k] - angles[i]) - 1) / temperature;
  for (let i = 0; i < n; i++) {
    const weights = Array.from(angles, (_, k) => k === i ? 0 : Math.exp(logit(i, k)));
    const total = weights.reduce((sum, x) => sum + x, 0);
    weights.forEach((x, k) => { shares[i * n + k] = x / total; });
    loss[i] = Math.log(total) - logit(i, (i + n / 2) % n);
  }
  return { shares, loss, mean: loss.reduce((sum, x) => sum + x, 0) / n };
}

// Angles after one step down the gradient of the mean loss.
export function descend(angles, temperature, rate) {
  const n = angles.length, { shares } = contrast(angles, temperature), slope = new Float64Array(n);
  for (let i = 0; i < n; i++)
    for (let k = 0; k < n; k++) {
      const weight = (shares[i * n + k] - (k === (i + n / 2) % n)) / temperature / n;
      const turn = Math.sin(angles[k] - angles[i]);
      slope[i] += weight * turn;
      slope[k] -= weight * turn;
    }
  return Array.from(angles, (angle, i) => angle - rate * slope[i]);
}

const COLORS = ["var(--blue)", "var(--orange)", "var(--green)", "var(--purple)", "var(--red)"];
const R = 110, CENTRE = 140;

// Anchors are A, B, C, …, their positives A′, B′, C′, …
function nameOf(i, n) {
  return `${"ABCDE"[i % (n / 2)]}${i < n / 2 ? "" : "′"}`;
}

// The vectors on a circle, with the push and pull of the chosen one; `pick(i)` is called with the one that is clicked.
function makeCircle(n, { svg, set }, pick) {
  const all = make => Array.from({ length: n }, (_, i) => make(i));
  const lines = all(() => svg("line", { "stroke-linecap": "round" }));
  const dots = all(i => svg("circle", { r: 8, fill: COLORS[i % (n / 2) % COLORS.length], style: "cursor: pointer",
    onclick: () => pick(i) }));
  const names = all(i => svg("text", { "text-anchor": "middle", "dominant-baseline": "middle" }, nameOf(i, n)));
  const ring = svg("circle", { r: 13, fill: "none", stroke: "var(--ink)", "stroke-width": 1.5 });
  const circle = svg("circle", { cx: CENTRE, cy: CENTRE, r: R, fill: "none", stroke: "var(--line)" });
  const box = { viewBox: `0 0 ${2 * CENTRE} ${2 * CENTRE}`, width: "100%", role: "img",
    style: "max-width: 320px; margin: 0 auto", "aria-label": "vectors on the unit circle" };
  function draw(angles, shares, chosen) {
    const place = (i, radius = R) => [CENTRE + radius * Math.cos(angles[i]), CENTRE - radius * Math.sin(angles[i])];
    const partner = (chosen + n / 2) % n, [x0, y0] = place(chosen);
    set(ring, { cx: x0, cy: y0 });
    for (let i = 0; i < n; i++) {
      const [x, y] = place(i), [nameX, nameY] = place(i, 1.2 * R), share = shares[chosen * n + i];
      const width = i === chosen ? 0 : (.3 + 9 * (i === partner ? 1 - share : share)).toFixed(2);
      const stroke = i === partner ? "var(--green)" : "var(--red)";
      set(dots[i], { cx: x, cy: y });
      set(names[i], { x: nameX, y: nameY });
      set(lines[i], { x1: x0, y1: y0, x2: x, y2: y, stroke, "stroke-width": width, opacity: .75 });
    }
  }
  return { node: svg("svg", box, circle, ...lines, ...dots, ring, ...names), draw };
}

// The two terms of the loss as bars, the larger one as long as there is room.
function makeBars({ svg }) {
  const bars = ["contrast", "reconstruction"].map((words, i) => ({
    words,
    label: svg("text", { y: 16 + 44 * i }),
    bar: svg("rect", { x: 0, y: 22 + 44 * i, height: 16, fill: i ? "var(--orange)" : "var(--blue)" }),
  }));
  const box = { viewBox: "0 0 300 90", width: "100%", role: "img", "aria-label": "the two terms of the loss" };
  function draw(terms) {
    bars.forEach(({ words, label, bar }, i) => {
      label.textContent = `${words}: ${terms[i].toPrecision(2)}`;
      bar.setAttribute("width", (300 * terms[i] / Math.max(...terms)).toFixed(1));
    });
  }
  return { node: svg("svg", box, ...bars.flatMap(({ label, bar }) => [label, bar])), draw };
}

function describe(chosen, { shares, loss, mean }) {
  const n = loss.length, partner = (chosen + n / 2) % n, share = i => shares[chosen * n + i];
  const strangers = Array.from(loss.keys()).filter(i => i !== chosen && i !== partner);
  const total = strangers.reduce((sum, i) => sum + share(i), 0);
  const worst = strangers.reduce((a, b) => share(a) > share(b) ? a : b);
  const probability = share(partner).toFixed(3), part = Math.round(100 * share(worst) / total);
  return `${nameOf(chosen, n)} takes ${nameOf(partner, n)} for its partner with probability ${probability}: `
    + `loss ${loss[chosen].toFixed(3)}, mean of all ${mean.toFixed(3)}. `
    + `${part} % of the push come from ${nameOf(worst, n)}.`;
}

// The sliders; each calls `draw` when it moves. `vectors` has the angles, and which of them is chosen.
function makeSliders(data, vectors, { slider }, draw) {
  const n = vectors.angles.length;
  const degrees = () => (Math.round(vectors.angles[vectors.chosen] * 180 / Math.PI) % 360 + 360) % 360;
  const heat = slider({ label: "temperature τ", min: -2, max: .5, step: .05, value: Math.log10(data.temperature),
    show: v => (10 ** v).toFixed(v < -1 ? 3 : 2), change: draw });
  const pick = slider({ label: "vector", min: 1, max: n, show: v => nameOf(v - 1, n),
    change: v => { vectors.chosen = v - 1; turn.set(degrees()); } });
  const rotate = v => {
    if (v !== degrees()) vectors.angles[vectors.chosen] = v * Math.PI / 180;
    draw();
  };
  const turn = slider({ label: "its angle", min: 0, max: 359, show: v => `${v}°`, value: degrees(), change: rotate });
  const weight = slider({ label: "weight λ", min: -4, max: 0, step: .1, value: Math.log10(data.lambda),
    show: v => (10 ** v).toFixed(v < -2 ? 4 : 2), change: draw });
  return { heat, pick, turn, weight, follow: () => turn.set(degrees()) };
}

export function mount(el, data, tools) {
  const { html } = tools, first = Array.from(data.angles), vectors = { angles: [...first], chosen: 0 };
  const circle = makeCircle(first.length, tools, i => pick.set(i + 1)), bars = makeBars(tools);
  const { heat, pick, turn, weight, follow } = makeSliders(data, vectors, tools, draw);
  const about = html("p", { "aria-live": "polite" }), sum = html("p", {});
  const button = (words, onclick) => html("button", { type: "button", onclick }, words);
  const go = button("ten steps of descent", () => {
    const temperature = 10 ** heat.get();
    for (let i = 0; i < 10; i++) vectors.angles = descend(vectors.angles, temperature, Math.min(.05, .5 * temperature));
    follow();
  });
  const back = button("back", () => {
    vectors.angles = [...first];
    follow();
  });

  function draw() {
    const state = contrast(vectors.angles, 10 ** heat.get()), lambda = 10 ** weight.get(), { mean } = state;
    const terms = [lambda * mean, (1 - lambda) * data.reconstruction], total = (terms[0] + terms[1]).toPrecision(2);
    circle.draw(vectors.angles, state.shares, vectors.chosen);
    bars.draw(terms);
    about.textContent = describe(vectors.chosen, state);
    sum.textContent = `λ · ${mean.toFixed(2)} + (1 − λ) · ${data.reconstruction} = ${total}`;
  }
  const controls = html("div", {}, heat, pick, turn, html("p", {}, go, " ", back), about,
    html("h4", {}, "In the mixture"), weight, bars.node, sum);
  el.append(html("div", { class: "row" }, html("div", {}, circle.node), controls));
  draw();
}
