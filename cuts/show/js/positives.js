// Which pixels near an anchor would be accepted as its positive.
// data: image [H, W] uint8, anchor [row, col], patch (P), threshold.

// Structural similarity of two patches of one channel, as cuts.stage1.patches.ssim; `range` null: that of the first.
export function ssim(a, b, range = null) {
  const n = a.length, mean = v => v.reduce((s, x) => s + x, 0) / n, ma = mean(a), mb = mean(b);
  const L = range ?? (Math.max(...a) - Math.min(...a) || 1), c1 = (.01 * L) ** 2, c2 = (.03 * L) ** 2;
  let va = 0, vb = 0, cov = 0;
  for (let i = 0; i < n; i++) {
    va += (a[i] - ma) ** 2;
    vb += (b[i] - mb) ** 2;
    cov += (a[i] - ma) * (b[i] - mb);
  }
  return (2 * ma * mb + c1) * (2 * cov / (n - 1) + c2) / ((ma ** 2 + mb ** 2 + c1) * ((va + vb) / (n - 1) + c2));
}

// The patch around a pixel, in [-1, 1].
export function patchAt(image, row, col, P) {
  const W = image.shape[1], h = (P - 1) / 2, values = [];
  for (let r = row - h; r <= row + h; r++)
    for (let c = col - h; c <= col + h; c++) values.push(image[r * W + c] / 127.5 - 1);
  return values;
}

// Where a search may look, with how many of the (2P)² displacements lead there, and how alike it is.
export function candidates(image, row, col, P, range) {
  const [H, W] = image.shape, h = (P - 1) / 2, anchor = patchAt(image, row, col, P), places = new Map();
  const inside = (v, n) => Math.min(Math.max(v, h), n - h - 1);
  for (let dr = -P; dr < P; dr++)
    for (let dc = -P; dc < P; dc++) {
      const r = inside(row + dr, H), c = inside(col + dc, W), key = r * W + c;
      if (!places.has(key)) places.set(key, { r, c, ways: 0, score: ssim(anchor, patchAt(image, r, c, P), range) });
      places.get(key).ways++;
    }
  return [...places.values()];
}

const ANCHOR = "#e69f00", ALIKE = "#56b4e9", OTHER = "#d55e00";

// The image as a picture for an SVG.
function pictureOf(image, html) {
  const [H, W] = image.shape, canvas = html("canvas", { width: W, height: H }), context = canvas.getContext("2d");
  const rgba = context.createImageData(W, H);
  for (let i = 0; i < H * W; i++) rgba.data.set([image[i], image[i], image[i], 255], 4 * i);
  context.putImageData(rgba, 0, 0);
  return canvas.toDataURL();
}

// The photograph, with the anchor, and its surroundings, enlarged, with the places of a positive.
function makeViews({ image, patch: P }, { html, svg, set }) {
  const [H, W] = image.shape, h = (P - 1) / 2, reach = P + h + 1, href = pictureOf(image, html);
  const view = (label, more) => {
    const photograph = svg("image", { href, x: 0, y: 0, width: W, height: H, style: "image-rendering: pixelated" });
    const marks = svg("g", { fill: "none" });
    return { node: svg("svg", { width: "100%", role: "img", "aria-label": label, ...more }, photograph, marks), marks };
  };
  const whole = { viewBox: `0 0 ${W} ${H}`, style: "cursor: crosshair" };
  const all = view("the photograph; a click chooses the anchor", whole);
  const near = view("the surroundings of the anchor, enlarged", {});
  const square = (r, c, half, attributes) =>
    svg("rect", { x: c - half, y: r - half, width: 2 * half + 1, height: 2 * half + 1, ...attributes });
  const dot = ({ r, c }, fill, opacity) => square(r, c, -.15, { stroke: "none", "stroke-width": 0, fill, opacity });
  function draw(row, col, places, alike) {
    const frame = (half, width) => square(row, col, half, { stroke: ANCHOR, "stroke-width": width });
    const others = places.filter(place => !alike.includes(place));
    set(near.node, { viewBox: `${col - reach} ${row - reach} ${2 * reach + 1} ${2 * reach + 1}` });
    all.marks.replaceChildren(frame(reach, .8), frame(h, .8));
    near.marks.replaceChildren(...others.map(place => dot(place, OTHER, .25)),
      ...alike.map(place => dot(place, ALIKE, 1)), frame(h, .25));
  }
  return { all: all.node, near: near.node, draw };
}

function describe(row, col, places, alike, P) {
  const part = alike.reduce((sum, place) => sum + place.ways, 0) / (2 * P) ** 2, chance = 1 - (1 - part) ** 20;
  return `Anchor (${row}, ${col}): ${alike.length} of ${places.length} places are alike (blue), the anchor itself `
    + `among them. Twenty tries find one with probability ${chance.toFixed(chance > .995 ? 4 : 2)}.`;
}

export function mount(el, data, tools) {
  const { html, slider, choice, pointIn } = tools, { image, patch: P } = data, [H, W] = image.shape, h = (P - 1) / 2;
  const views = makeViews(data, tools), about = html("p", { "aria-live": "polite" });
  let [row, col] = data.anchor, range = null;
  const rows = slider({ label: "row", min: h, max: H - h - 1, value: row, change: v => { row = v; draw(); } });
  const cols = slider({ label: "column", min: h, max: W - h - 1, value: col, change: v => { col = v; draw(); } });
  const limit = slider({ label: "threshold", min: 0, max: .95, step: .05, value: data.threshold,
    show: v => v.toFixed(2), change: draw });
  const ranges = [["patch", "of the anchor’s patch"], ["image", "of the image, L = 2"]];
  const kind = choice({ label: "data range L", options: ranges, value: "patch",
    change: v => { range = v === "image" ? 2 : null; draw(); } });
  for (const node of [views.all, views.near])
    node.addEventListener("click", event => {
      const { x, y } = pointIn(node, event);
      cols.set(Math.floor(x));
      rows.set(Math.floor(y));
    });

  function draw() {
    const places = candidates(image, row, col, P, range), alike = places.filter(place => place.score > limit.get());
    views.draw(row, col, places, alike);
    about.textContent = describe(row, col, places, alike, P);
  }
  const columns = [html("div", {}, html("h4", {}, "Click an anchor"), views.all),
    html("div", {}, html("h4", {}, "Where its positive is searched"), views.near)];
  el.append(kind, limit, html("div", { class: "row" }, ...columns), rows, cols, about);
  draw();
}
