// How far a stack of convolutions sees, and what it costs.
// data: channels, kernels (after the first layer, doubling), layers, kernel, patch.

// On how many ways each of 2·reach + 1 pixels of a line arrives at the one in the middle.
export function ways(layers, kernel) {
  let line = [1];
  for (let l = 0; l < layers; l++) {
    const next = new Array(line.length + kernel - 1).fill(0);
    line.forEach((count, i) => { for (let k = 0; k < kernel; k++) next[i + k] += count; });
    line = next;
  }
  return line;
}

// Numbers that are learned (weights, biases, two of each batch normalisation), and products for one pixel.
export function cost(channels, kernels, layers, kernel) {
  let learned = 0, products = 0, incoming = channels, outgoing = kernels;
  for (let l = 0; l < layers; l++) {
    learned += kernel ** 2 * incoming * outgoing + 3 * outgoing;
    products += kernel ** 2 * incoming * outgoing;
    incoming = outgoing;
    outgoing *= 2;
  }
  return { learned, products, length: kernels * 2 ** (layers - 1) };
}

const N = 29, MIDDLE = (N - 1) / 2, SIZE = 11;       // cells a side, and their size
const grouped = number => number.toLocaleString("en");

// The pixels around one, coloured by what they count for its vector, with the frame of the patch to draw.
function makeGrid({ svg, set }) {
  const square = { width: SIZE - 1, height: SIZE - 1 };
  const cellAt = (row, column) => svg("rect", { x: column * SIZE, y: row * SIZE, ...square });
  const cells = Array.from({ length: N * N }, (_, i) => cellAt(Math.floor(i / N), i % N));
  const frame = svg("rect", { fill: "none", stroke: "var(--orange)", "stroke-width": 2 });
  const label = "the pixels that a vector depends on", box = `0 0 ${N * SIZE} ${N * SIZE}`;
  const node = svg("svg", { viewBox: box, width: "100%", role: "img", "aria-label": label }, ...cells, frame);
  function draw(line, patch) {
    const reach = (line.length - 1) / 2, top = line[reach], corner = (MIDDLE - (patch - 1) / 2) * SIZE - .5;
    const along = i => line[i - MIDDLE + reach] ?? 0;
    cells.forEach((cell, i) => {
      const seen = along(Math.floor(i / N)) * along(i % N) / top ** 2;
      const strength = Math.round(100 * Math.max(.12, 1 + Math.log10(seen) / 4));
      cell.style.fill = seen ? `color-mix(in srgb, var(--blue) ${strength}%, var(--panel))` : "var(--panel)";
    });
    set(frame, { x: corner, y: corner, width: patch * SIZE, height: patch * SIZE });
  }
  return { node, draw };
}

function describeField(seen, layers, kernel, patch) {
  const beyond = seen > N ? ", more than are drawn" : "", part = Math.round(100 * (patch / seen) ** 2);
  const smaller = "less than the patch that it has to draw", larger = `the patch to draw is ${part} % of that square`;
  const compared = patch > seen ? smaller : larger;
  return `A vector depends on 1 + ${layers} · ${kernel - 1} = ${seen} pixels in each direction${beyond}; ${compared}.`;
}

function describeCost({ learned, products, length }, usual) {
  const times = products / usual.products;
  const compared = times === 1 ? "as the default does" : `${+times.toPrecision(2)} times those of the default`;
  return `It has ${grouped(length)} numbers. The encoder learns ${grouped(learned)} and computes `
    + `${grouped(products)} products for each pixel, ${compared}.`;
}

export function mount(el, data, tools) {
  const { html, slider, choice } = tools, { channels, kernels } = data, grid = makeGrid(tools);
  const about = html("p", { "aria-live": "polite" }), price = html("p", { "aria-live": "polite" });
  let kernel = data.kernel;
  const layers = slider({ label: "layers", min: 1, max: 6, value: data.layers, change: draw });
  const patch = slider({ label: "patch to draw", min: 3, max: 9, step: 2, value: data.patch, show: v => `${v}×${v}`,
    change: draw });
  const kind = choice({ label: "kernels", options: [[3, "3×3"], [5, "5×5"]], value: kernel,
    change: value => { kernel = value; draw(); } });
  function draw() {
    const line = ways(layers.get(), kernel), usual = cost(channels, kernels, data.layers, data.kernel);
    grid.draw(line, patch.get());
    about.textContent = describeField(line.length, layers.get(), kernel, patch.get());
    price.textContent = describeCost(cost(channels, kernels, layers.get(), kernel), usual);
  }
  const controls = html("div", {}, kind, layers, patch, about, price);
  el.append(html("div", { class: "row" }, html("div", {}, grid.node), controls));
  draw();
}
