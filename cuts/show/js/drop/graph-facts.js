// The leaves of a tree as they lie in an image, which the network of hints looks at. Python's `region_graph` and
// `hint_facts` answer alike; numbers are rounded as there, since a page of Python's is given no more digits.
import { nodesOf, sumUp } from "./tree.js";

// `coordinates` { dim, Y } of the leaves; `network`: the weights of the network of hints by their names.
export function graphFacts({ tree, map }, coordinates, image, network) {
  const { height, width, channels } = image, { n } = tree, places = placesOf(map, n, image);
  const vector = standardised({ n, d: coordinates.dim, x: coordinates.Y }, places.area);
  const spread = deviationOf(image), colour = standardised(coloursOf(map, places.area, image), places.area, spread);
  const borders = touching(map, n, image, spread), nodes = nodesOf(tree), scale = Math.sqrt(height * width);
  const numbers = { tree, nodes, places, vector, colour, borders, dims: [coordinates.dim, channels] };
  return {
    pairs: Uint32Array.from([...borders.first, ...borders.second]),
    ways: halves(waysOf(numbers, scale)),
    heard: halves(heardOf(borderNumbers(numbers), network)),
    known: halves(leafNumbers(numbers, height * width)),
    vector, colour, centre: places.centre, rim: places.rim, pixel: new Float32Array([1, 1]),
  };
}

// Area, centre and rim of every leaf.
function placesOf(map, n, { height, width }) {
  const area = new Float64Array(n), centre = new Float64Array(2 * n), rim = new Float32Array(n);
  for (let i = 0; i < map.length; i++) {
    const y = Math.floor(i / width), x = i % width, leaf = map[i];
    area[leaf]++;
    centre[2 * leaf] += y;
    centre[2 * leaf + 1] += x;
    rim[leaf] += (y === 0) + (y === height - 1) + (x === 0) + (x === width - 1);
  }
  return { area, rim, centre: Float32Array.from(centre, (sum, k) => area[k >> 1] ? sum / area[k >> 1] : Infinity) };
}

// The standard deviation of the channels together; 0 where they differ by rounding alone.
function deviationOf({ channels, values }) {
  const n = values.length / channels;
  let variance = 0, square = 0;
  for (let c = 0; c < channels; c++) {
    let sum = 0, deviation = 0;
    for (let i = c; i < values.length; i += channels) sum += values[i];
    for (let i = c; i < values.length; i += channels) {
      deviation += (values[i] - sum / n) ** 2;
      square += values[i] ** 2 / n;
    }
    variance += deviation / n;
  }
  return variance > 1e-12 * square ? Math.sqrt(variance) : 0;
}

function coloursOf(map, area, { channels, values }) {
  const x = new Float64Array(area.length * channels);
  for (let i = 0; i < map.length; i++)
    for (let c = 0; c < channels; c++) x[map[i] * channels + c] += values[i * channels + c] / area[map[i]];
  return { n: area.length, d: channels, x };
}

// Numbers about their weighted mean in parts of their deviation.
function standardised({ n, d, x }, weight, deviation = null) {
  const total = weight.reduce((a, b) => a + b, 0), mean = new Float64Array(d), out = Float64Array.from(x);
  for (let i = 0; i < n * d; i++) mean[i % d] += x[i] * weight[Math.floor(i / d)] / total;
  let square = 0;
  for (let i = 0; i < n * d; i++) {
    out[i] -= mean[i % d];
    square += out[i] ** 2 * weight[Math.floor(i / d)] / total;
  }
  const unit = deviation ?? Math.sqrt(square);
  return unit > 0 ? halves(out.map(v => Math.min(Math.max(v / unit, -1e3), 1e3))) : out.fill(0);
}

// The leaves that touch, for how many pixels, and the mean step of the colours between them.
function touching(map, n, { height, width, channels, values }, spread) {
  const known = new Map(), pixels = height * width;
  const add = (i, j) => {
    if (map[i] === map[j]) return;
    let square = 0;
    for (let c = 0; c < channels; c++) square += (values[j * channels + c] - values[i * channels + c]) ** 2;
    const key = Math.min(map[i], map[j]) * n + Math.max(map[i], map[j]), border = known.get(key) ?? [0, 0];
    known.set(key, [border[0] + 1, border[1] + Math.sqrt(square)]);
  };
  for (let i = 0; i + width < pixels; i++) add(i, i + width);
  for (let i = 0; i < pixels; i++) if (i % width < width - 1) add(i, i + 1);
  const keys = Array.from(known.keys()).sort((a, b) => a - b), all = keys.map(key => known.get(key));
  return {
    first: keys.map(key => Math.floor(key / n)), second: keys.map(key => key % n), length: all.map(([count]) => count),
    step: all.map(([count, sum]) => spread ? sum / count / spread : 0),
  };
}

function apart(x, d, i, j) {
  let square = 0;
  for (let k = 0; k < d; k++) square += (x[i * d + k] - x[j * d + k]) ** 2;
  return Math.sqrt(square);
}

// What a step across each border costs, by vectors and by colours; a long one costs a little more.
function waysOf({ borders: { first, second }, vector, colour, places, dims }, scale) {
  const far = first.map((a, k) => 0.2 * apart(places.centre, 2, a, second[k]) / scale + 1e-4);
  const by = (x, d) => first.map((a, k) => apart(x, d, a, second[k]) + far[k]);
  return [...by(vector, dims[0]), ...by(colour, dims[1])];
}

const doublings = (share, least) => Math.log2(500 * share + least);

// What is told of every leaf, [n, 4].
function leafNumbers({ tree: { n }, nodes, places: { area, rim } }, pixels) {
  const whole = sumUp(nodes.parent, area), { born, m } = nodes, end = Math.max(born[m - 1], 1e-9);
  return Array.from(area.keys()).flatMap(i => {
    const up = Math.max(nodes.parent[i], 0);
    return [
      doublings(area[i] / pixels, 0.01), rim[i] / Math.sqrt(Math.max(area[i], 1)),
      doublings(whole[up] / pixels, 0.1) / 3, n > 1 ? born[up] / end : 0,
    ];
  });
}

// What is told of every border, [m, 5].
function borderNumbers({ nodes: { parent, born, m }, borders, vector, colour, dims }) {
  const end = Math.max(born[m - 1], 1e-9);
  return borders.first.map((a, k) => {
    const b = borders.second[k];
    let [i, j] = [a, b];
    while (i !== j) if (i < j) i = parent[i]; else j = parent[j];
    return [
      apart(vector, dims[0], a, b), borders.step[k], Math.log2(borders.length[k]), 2 * born[i] / end,
      apart(colour, dims[1], a, b),
    ];
  });
}

// How much the sides of every border hear of each other, in each round.
function heardOf(numbers, network) {
  const layer = (x, name) => {
    const weight = network[`border.${name}.weight`], bias = network[`border.${name}.bias`];
    return Array.from(bias, (b, j) => x.reduce((sum, v, k) => sum + v * weight[j * x.length + k], b));
  };
  return numbers.flatMap(x => layer(layer(x, 0).map(v => Math.max(v, 0)), 2)
    .map(v => Math.exp(Math.min(Math.max(v, -8), 8))));
}

// Numbers with as many digits as half precision has.
export function halves(x) {
  return Float64Array.from(x, v => {
    const size = Math.abs(v);
    if (size === 0 || !Number.isFinite(v)) return v;
    const step = 2 ** (Math.max(Math.floor(Math.log2(size)), -14) - 10), q = size / step, floor = Math.floor(q);
    const near = q - floor === 0.5 ? floor + floor % 2 : Math.round(q);
    return Math.sign(v) * near * step;
  });
}
