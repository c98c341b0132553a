// How far a stack of convolutions sees, and what it costs.
// data: channels, kernels (after the first layer, doubling), layers, kernel, patch.

// On how many ways each of 2·reach + 1 pixels of a line arrives at the one in the middle.
export function ways(layers, kernel) {
  let line = [1];
  for (let l = 0; l < layers; l++) {
    const next = new Array(line.length + kernel - 1).fill(0);
    line.forEach((v, i) => { for (let k = 0; k < kernel; k++) next[i + k] += v; });
    line = next;
  }
  return line;
}

// Numbers that are learned (weights, biases, two of each batch normalisation), and products for one pixel.
export function cost(channels, kernels, layers, kernel) {
  let learned = 0, products = 0;
  for (let l = 0, a = channels, b = kernels; l < layers; l++, a = b, b *= 2) { learned += kernel ** 2 * a * b + 3 * b; products += kernel ** 2 * a * b; }
  return { learned, products, length: kernels * 2 ** (layers - 1) };
}

export function mount(el, data, { html, svg, set, slider, choice }) {
  const N = 29, mid = (N - 1) / 2, size = 11;
  let kernel = data.kernel;
  const cells = Array.from({ length: N * N }, (_, i) => svg("rect", { x: i % N * size, y: Math.floor(i / N) * size, width: size - 1, height: size - 1 }));
  const frame = svg("rect", { fill: "none", stroke: "var(--orange)", "stroke-width": 2 });
  const grid = svg("svg", { viewBox: `0 0 ${N * size} ${N * size}`, width: "100%", role: "img", "aria-label": "the pixels that a vector depends on" }, ...cells, frame);
  const about = html("p", { "aria-live": "polite" }), price = html("p", { "aria-live": "polite" });
  const layers = slider({ label: "layers", min: 1, max: 6, value: data.layers, change: draw });
  const patch = slider({ label: "patch to draw", min: 3, max: 9, step: 2, value: data.patch, show: v => `${v}×${v}`, change: draw });
  const kind = choice({ label: "kernels", options: [[3, "3×3"], [5, "5×5"]], value: kernel, change: v => { kernel = v; draw(); } });
  function draw() {
    const L = layers.get(), line = ways(L, kernel), reach = (line.length - 1) / 2, top = line[reach], P = patch.get(), n = v => v.toLocaleString("en");
    cells.forEach((cell, i) => {
      const r = Math.floor(i / N) - mid + reach, c = i % N - mid + reach, seen = (line[r] ?? 0) * (line[c] ?? 0) / top ** 2;
      cell.style.fill = seen ? `color-mix(in srgb, var(--blue) ${Math.round(100 * Math.max(.12, 1 + Math.log10(seen) / 4))}%, var(--panel))` : "var(--panel)";
    });
    set(frame, { x: (mid - (P - 1) / 2) * size - .5, y: (mid - (P - 1) / 2) * size - .5, width: P * size, height: P * size });
    const { learned, products, length } = cost(data.channels, data.kernels, L, kernel);
    about.textContent = `A vector depends on 1 + ${L} · ${kernel - 1} = ${line.length} pixels in each direction${line.length > N ? ", more than are drawn" : ""}; ${P > line.length ? "less than the patch that it has to draw" : `the patch to draw is ${Math.round(100 * (P / line.length) ** 2)} % of that square`}.`;
    const times = products / cost(data.channels, data.kernels, data.layers, data.kernel).products;
    price.textContent = `It has ${n(length)} numbers. The encoder learns ${n(learned)} and computes ${n(products)} products for each pixel, ${times === 1 ? "as the default does" : `${+times.toPrecision(2)} times those of the default`}.`;
  }
  el.append(html("div", { class: "row" }, html("div", {}, grid), html("div", {}, kind, layers, patch, about, price)));
  draw();
}
