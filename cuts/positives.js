// Which pixels near an anchor would be accepted as its positive.
// data: image [H, W] uint8, anchor [row, col], patch (P), threshold.

// Structural similarity of two patches of one channel, as cuts.patches.ssim has it; `range` null: that of the first.
export function ssim(a, b, range = null) {
  const n = a.length, mean = v => v.reduce((s, x) => s + x, 0) / n, ma = mean(a), mb = mean(b);
  const L = range ?? (Math.max(...a) - Math.min(...a) || 1), c1 = (.01 * L) ** 2, c2 = (.03 * L) ** 2;
  let va = 0, vb = 0, cov = 0;
  for (let i = 0; i < n; i++) { va += (a[i] - ma) ** 2; vb += (b[i] - mb) ** 2; cov += (a[i] - ma) * (b[i] - mb); }
  return (2 * ma * mb + c1) * (2 * cov / (n - 1) + c2) / ((ma ** 2 + mb ** 2 + c1) * ((va + vb) / (n - 1) + c2));
}

// The patch around a pixel, in [-1, 1].
export function patchAt(image, row, col, P) {
  const W = image.shape[1], h = (P - 1) / 2, out = [];
  for (let r = row - h; r <= row + h; r++) for (let c = col - h; c <= col + h; c++) out.push(image[r * W + c] / 127.5 - 1);
  return out;
}

// Where a search may look, with how many of the (2P)² displacements lead there, and how alike it is.
export function candidates(image, row, col, P, range) {
  const [H, W] = image.shape, h = (P - 1) / 2, own = patchAt(image, row, col, P), found = new Map();
  const inside = (v, n) => Math.min(Math.max(v, h), n - h - 1);
  for (let dr = -P; dr < P; dr++) for (let dc = -P; dc < P; dc++) {
    const r = inside(row + dr, H), c = inside(col + dc, W), key = r * W + c;
    if (!found.has(key)) found.set(key, { r, c, ways: 0, score: ssim(own, patchAt(image, r, c, P), range) });
    found.get(key).ways++;
  }
  return [...found.values()];
}

export function mount(el, data, { html, svg, set, slider, choice }) {
  const { image, patch: P } = data, [H, W] = image.shape, h = (P - 1) / 2, reach = P + h + 1;
  let [row, col] = data.anchor, range = null;
  const picture = html("canvas", { width: W, height: H });
  const pixels = picture.getContext("2d"), rgba = pixels.createImageData(W, H);
  for (let i = 0; i < H * W; i++) rgba.data.set([image[i], image[i], image[i], 255], 4 * i);
  pixels.putImageData(rgba, 0, 0);
  const shot = picture.toDataURL(), drawn = () => svg("image", { href: shot, x: 0, y: 0, width: W, height: H, style: "image-rendering: pixelated" });
  const whole = svg("svg", { viewBox: `0 0 ${W} ${H}`, width: "100%", role: "img", "aria-label": "the photograph; a click chooses the anchor", style: "cursor: crosshair" }, drawn());
  const near = svg("svg", { width: "100%", role: "img", "aria-label": "the surroundings of the anchor, enlarged" }, drawn());
  const marks = [whole, near].map(node => node.appendChild(svg("g", { fill: "none" })));
  const about = html("p", { "aria-live": "polite" });

  const rows = slider({ label: "row", min: h, max: H - h - 1, value: row, change: v => { row = v; draw(); } });
  const cols = slider({ label: "column", min: h, max: W - h - 1, value: col, change: v => { col = v; draw(); } });
  const limit = slider({ label: "threshold", min: 0, max: .95, step: .05, value: data.threshold, show: v => v.toFixed(2), change: draw });
  const kind = choice({ label: "data range L", options: [["patch", "of the anchor’s patch"], ["image", "of the image, L = 2"]], value: "patch", change: v => { range = v === "image" ? 2 : null; draw(); } });
  for (const node of [whole, near]) node.addEventListener("click", event => {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(node.getScreenCTM().inverse());
    cols.set(Math.floor(at.x)); rows.set(Math.floor(at.y));
  });
  const square = (r, c, half, color, width) => svg("rect", { x: c - half, y: r - half, width: 2 * half + 1, height: 2 * half + 1, stroke: color, "stroke-width": width });

  function draw() {
    const all = candidates(image, row, col, P, range), alike = all.filter(p => p.score > limit.get());
    const part = alike.reduce((s, p) => s + p.ways, 0) / (2 * P) ** 2, chance = 1 - (1 - part) ** 20;
    set(near, { viewBox: `${col - reach} ${row - reach} ${2 * reach + 1} ${2 * reach + 1}` });
    marks[0].replaceChildren(square(row, col, reach, "#e69f00", .8), square(row, col, h, "#e69f00", .8));
    marks[1].replaceChildren(...all.map(p => set(square(p.r, p.c, -.15, "none", 0), { fill: p.score > limit.get() ? "#56b4e9" : "#d55e00", opacity: p.score > limit.get() ? .9 : .25 })),
      ...alike.map(p => set(square(p.r, p.c, -.15, "none", 0), { fill: "#56b4e9" })), square(row, col, h, "#e69f00", .25));
    about.textContent = `Anchor (${row}, ${col}): ${alike.length} of ${all.length} places are alike (blue), the anchor itself among them. Twenty tries find one with probability ${chance.toFixed(chance > .995 ? 4 : 2)}.`;
  }
  el.append(kind, limit, html("div", { class: "row" }, html("div", {}, html("h4", {}, "Click an anchor"), whole), html("div", {}, html("h4", {}, "Where its positive is searched"), near)), rows, cols, about);
  draw();
}
