// Colours of the regions of a tree: the background is one, small regions speak softly. Python's `segmentation_colors`
// gives the same.

const BOX = 0.16, ALIKE = 0.12, GRAIN = 0.2;                       // of the background, in values from −1 to 1
const FIRST = [0.42, 0.62, 0.80], FAR = 0.25, LARGE = 0.03, MOST = 256;
const DARK = [0.16, 0.17, 0.20], LIGHT = [0.93, 0.93, 0.92];

const RGB_TO_LMS = [
  [0.4122214708, 0.5363325363, 0.0514459929],
  [0.2119034982, 0.6806995451, 0.1073969566],
  [0.0883024619, 0.2817188376, 0.6299787005],
];
const LMS_TO_LAB = [
  [0.2104542553, 0.7936177850, -0.0040720468],
  [1.9779984951, -2.4285922050, 0.4505937099],
  [0.0259040371, 0.7827717662, -0.8086757660],
];
const DEUTERANOPIA = [
  [0.367322, 0.860646, -0.227968],
  [0.280085, 0.672501, 0.047413],
  [-0.011820, 0.042940, 0.968881],
];

const times = (matrix, v) => matrix.map(row => row[0] * v[0] + row[1] * v[1] + row[2] * v[2]);
const within = x => Math.min(Math.max(x, 0), 1);
const linear = x => x <= 0.04045 ? x / 12.92 : ((Math.max(x, 0) + 0.055) / 1.055) ** 2.4;
const gamma = x => x <= 0.0031308 ? x * 12.92 : 1.055 * Math.max(x, 0) ** (1 / 2.4) - 0.055;
const oklab = rgb => times(LMS_TO_LAB, times(RGB_TO_LMS, rgb.map(linear)).map(Math.cbrt));
const apartOf = (a, b) => Math.sqrt(a.reduce((sum, x, i) => sum + (x - b[i]) ** 2, 0));

// The inverse of three rows, by their cross products.
function inverse([a, b, c]) {
  const cross = (u, v) => [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
  const columns = [cross(b, c), cross(c, a), cross(a, b)], volume = a.reduce((sum, x, i) => sum + x * columns[0][i], 0);
  return [0, 1, 2].map(row => columns.map(column => column[row] / volume));
}

// Colours to choose from, as both kinds of eyes see them, and their chroma.
function candidates() {
  const toLms = inverse(LMS_TO_LAB), toRgb = inverse(RGB_TO_LMS), found = [];
  for (const c of [0.03, 0.07, 0.11, 0.14])               // in the order of NumPy's grid
    for (let l = 0; l < 9; l++)
      for (let h = 0; h < 36; h++) {
        const hue = h * 2 * Math.PI / 36, lab = [0.5 + l * 0.38 / 8, c * Math.cos(hue), c * Math.sin(hue)];
        const light = times(toRgb, times(toLms, lab).map(x => x ** 3));
        if (light.some(x => x < 0 || x > 1)) continue;
        const rgb = light.map(gamma).map(within), [L, a, b] = oklab(rgb);
        const seen = times(DEUTERANOPIA, rgb.map(linear)).map(within).map(gamma).map(within);
        found.push({ rgb, seen: [L, a, b, ...oklab(seen).map(x => 0.8 * x)], chroma: Math.hypot(a, b) });
      }
  return found;
}

// The pixels at the frame: rows first, then columns without their corners.
function frameOf({ height, width }) {
  const frame = [];
  for (const r of [0, height - 1]) for (let c = 0; c < width; c++) frame.push(r * width + c);
  for (const c of [0, width - 1]) for (let r = 1; r < height - 1; r++) frame.push(r * width + c);
  return frame;
}

// The colour that half of the frame has, or null.
function frameColour({ channels, values }, frame) {
  const boxes = new Map(), of = pixel => Array.from({ length: channels }, (_, c) => values[pixel * channels + c]);
  for (const pixel of frame) {
    const key = of(pixel).map(v => Math.floor(v / BOX));
    if (!boxes.has(key.join())) boxes.set(key.join(), { key, pixels: [] });
    boxes.get(key.join()).pixels.push(pixel);
  }
  const order = (a, b) => a.key.map((k, i) => k - b.key[i]).find(d => d) ?? 0;      // of equally full ones the first
  const [fullest] = [...boxes.values()].sort((a, b) => b.pixels.length - a.pixels.length || order(a, b));
  const colour = Array.from({ length: channels }, (_, c) => median(fullest.pixels.map(p => values[p * channels + c])));
  const near = frame.filter(pixel => of(pixel).every((v, c) => Math.abs(v - colour[c]) < BOX)).length;
  return near / frame.length >= 0.5 ? colour : null;
}

function median(values) {
  const sorted = Float64Array.from(values).sort(), half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

// Sums over leaves, for each number at its end.
function grown({ n, parent }, leaves) {
  const total = leaves.slice();
  for (let i = n - 1; i > 0; i--) total[parent[i]] += total[i];
  return total;
}

// Which numbers are background.
function background(tree, map, { channels, values }, frame, colour) {
  const { n } = tree, rim = new Float64Array(n), area = new Float64Array(n), found = new Uint8Array(n);
  const sums = Array.from({ length: 2 * channels }, () => new Float64Array(n));
  for (const pixel of frame) rim[map[pixel]]++;
  map.forEach((leaf, pixel) => {
    area[leaf]++;
    for (let c = 0; c < channels; c++) {
      const v = values[pixel * channels + c];
      sums[c][leaf] += v;
      sums[channels + c][leaf] += v * v;
    }
  });
  for (const of of [x => x, x => grown(tree, x)]) {
    const atRim = of(rim), pixels = of(area), all = sums.map(of);
    for (let i = 0; i < n; i++) {
      const isBack = colour.every((value, c) => {
        const size = Math.max(pixels[i], 1), mean = all[c][i] / size, square = all[channels + c][i] / size;
        return Math.abs(mean - value) < ALIKE && Math.sqrt(Math.max(square - mean * mean, 0)) < GRAIN;
      });
      if (atRim[i] > 0 && isBack) found[i] = 1;
    }
  }
  return found;
}

function largest(values) {
  return values.reduce((best, v, i) => v > values[best] ? i : best, 0);
}

// Bytes [n + 1, 3]: row 0 is black, row i + 1 that of the number i.
export function segmentationColours(tree, map, image) {
  const { n, parent } = tree, frame = frameOf(image), colour = frameColour(image, frame), all = candidates();
  const isBack = colour ? background(tree, map, image, frame, colour) : new Uint8Array(n);
  const isLight = colour && colour.reduce((sum, v) => sum + v, 0) > 0, heir = parent.slice();
  for (let i = 1; i < n; i++) if (isBack[heir[i]]) heir[i] = heir[heir[i]];
  const mass = grown(tree, tree.mass), chosen = new Int32Array(n), apart = new Float64Array(all.length).fill(Infinity);
  const painted = Array.from({ length: n }, (_, i) => i).filter(i => !isBack[i]);
  painted.forEach((i, k) => {
    if (k >= MOST) return void (chosen[i] = chosen[painted[k % MOST]]);
    const share = mass[i] / mass[0], softness = 1 - Math.min(1, Math.sqrt(share / LARGE));
    chosen[i] = largest(all.map(({ rgb, seen, chroma }, at) => {
      if (!k) return -apartOf(rgb, FIRST);
      const worth = Math.min(apart[at], FAR);
      if (isBack[heir[i]]) return worth - 0.6 * softness * chroma;
      return worth - 1.5 * Math.max(apartOf(seen, all[chosen[heir[i]]].seen) - (0.37 - 0.3 * softness), 0);
    }));
    const weight = 0.3 + 0.7 * Math.min(1, Math.sqrt(share / 0.02));
    all.forEach(({ seen }, at) => { apart[at] = Math.min(apart[at], apartOf(seen, all[chosen[i]].seen) / weight); });
  });
  const out = new Uint8Array(3 * (n + 1));
  for (let i = 0; i < n; i++) {
    const rgb = isBack[i] ? (isLight ? LIGHT : DARK) : all[chosen[i]].rgb;
    rgb.forEach((v, c) => { out[3 * (i + 1) + c] = Math.round(255 * v); });
  }
  return out;
}
