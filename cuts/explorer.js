// The explorer of a segmentation, one element for every place: an anywidget in JupyterLab, Notebook, Voilà and VS Code
// (`export default`), and a page or a site without a kernel (`mount`). It is handed the tree and the landmark map once and cuts the
// tree itself. Notebook 41 says what is handed over, and checks that this file and Python answer alike.

// Numbers of 64 bits, which travel as twice as many of 32.
const doubles = x => x instanceof Uint32Array ? new Float64Array(x.buffer, x.byteOffset, x.length / 2) : x;

// The tree -------------------------------------------------------------------------------------------------------------------------
export class Tree {
  constructor({ parent, death, mass }) { Object.assign(this, { parent, death: doubles(death), mass: doubles(mass), n: parent.length }); }

  // The region of each leaf, from 0, in the finest partition of at most k regions.
  labels(k) {
    const region = new Int32Array(this.n);
    for (let i = 0; i < this.n; i++) region[i] = i < k ? i : region[this.parent[i]];
    return region;
  }

  // How many regions are left after `time`.
  regionsAt(time) { let k = 0; while (k < this.n && this.death[k] > time) k++; return Math.max(k, 1); }

  // Every region that ever exists, children before parents; the first n are the leaves.
  get nodes() {
    if (this._nodes) return this._nodes;
    const n = this.n, m = 2 * n - 1, parent = new Int32Array(m).fill(-1), born = new Float64Array(m), ended = new Float64Array(m).fill(Infinity);
    const now = Int32Array.from({ length: n }, (_, i) => i);
    for (let k = n - 1; k > 0; k--) {
      const heir = this.parent[k], made = m - k;
      for (const child of [now[heir], now[k]]) { parent[child] = made; ended[child] = this.death[k]; }
      born[made] = this.death[k]; now[heir] = made;
    }
    this._nodes = { parent, born, ended, m };
    this._nodes.mass = this.sumUp(this.mass);
    return this._nodes;
  }

  // The sum of something over the leaves of every node.
  sumUp(x) {
    const { parent, m } = this.nodes, total = new Float64Array(m);
    total.set(x);
    for (let v = 0; v < m - 1; v++) total[parent[v]] += total[v];
    return total;
  }

  // Which leaves lie in some nodes.
  leavesIn(chosen) {
    const { parent, m } = this.nodes, inside = new Uint8Array(m);
    for (const v of chosen) inside[v] = 1;
    for (let v = m - 2; v >= 0; v--) inside[v] |= inside[parent[v]];
    return inside.slice(0, this.n);
  }

  // The disjoint nodes that are worth most together; of equally good choices the larger nodes.
  bestDisjoint(value) {
    const { parent, m } = this.nodes, best = new Float64Array(m), parts = new Float64Array(m), chosen = new Uint8Array(m), inside = new Uint8Array(m);
    for (let v = 0; v < m; v++) {
      best[v] = Math.max(value[v], 0, parts[v]);
      chosen[v] = value[v] > 0 && value[v] >= parts[v] * (1 - 1e-12);
      if (parent[v] >= 0) parts[parent[v]] += best[v];
    }
    for (let v = m - 2; v >= 0; v--) inside[v] = inside[parent[v]] | chosen[parent[v]];
    return Array.from(chosen.keys()).filter(v => chosen[v] && !inside[v]);
  }

  // Of a growing region the node at which it rests longest, at the end of that rest.
  bestRest(path, tolerance = 0.1, largest = 0.9) {
    const { mass, born, ended, m } = this.nodes, start = path.map(v => born[v]), last = ended[path[path.length - 1]];
    let longest = -Infinity, at = 0;
    path.forEach((v, i) => {
      let until = path.findIndex(u => mass[u] > mass[v] * (1 + tolerance));
      if (until < 0) until = path.length;
      const end = until < path.length ? start[until] : last;
      const rest = mass[v] > largest * mass[m - 1] || end === Infinity ? -1 : end - start[i];
      if (rest > longest) { longest = rest; at = until - 1; }
    });
    return path[at];
  }

  // The nodes that hold the positive marks without the negative ones, each where it rests longest.
  fitMarks(positive, negative, cost = 0.02) {
    const { parent, mass, m } = this.nodes, share = x => { const s = x.reduce((a, b) => a + b, 0) || 1e-300; return this.sumUp(x.map(y => y / s)); };
    const p = share(positive), q = negative ? share(negative) : new Float64Array(m);
    const smaller = mass.map(x => 1e-6 * x / mass[m - 1]);
    let found = this.bestDisjoint(p.map((x, v) => x - q[v] - cost - smaller[v]));
    if (!found.length) {                                       // marks contradict each other: where most is for it
      let best = -Infinity;
      for (let v = 0; v < m; v++) if (p[v] > 0 && p[v] - q[v] - smaller[v] > best) { best = p[v] - q[v] - smaller[v]; found = [v]; }
    }
    const inside = new Int32Array(m);
    for (const v of found) inside[v] = 1;
    for (let v = 0; v < m - 1; v++) inside[parent[v]] += inside[v];
    return [...new Set(found.map(v => {
      const path = [v];
      while (parent[path[path.length - 1]] >= 0) path.push(parent[path[path.length - 1]]);
      return this.bestRest(path.filter(u => inside[u] === 1 && q[u] <= q[v] + 1e-12));
    }))];
  }
}

// The leaves that marks mean, one after the other at their levels, or all of them together at the level where they are most themselves.
export function selected(tree, marks, { auto = false, persistent = null } = {}) {
  const hit = new Uint8Array(tree.n);
  if (!marks.length) return hit;
  if (auto) {
    const count = sign => { const x = new Float64Array(tree.n); for (const m of marks) if (m.sign === sign) (m.node === undefined ? m.leaves : Array.from(tree.leavesIn([m.node]), (y, i) => [i, y * tree.mass[i]])).forEach(([i, c]) => { x[i] += c; }); return x; };
    const positive = count(1), negative = count(-1);
    if (!positive.some(x => x)) return hit;
    return tree.leavesIn(tree.fitMarks(positive, negative.some(x => x) ? negative : null));
  }
  for (const mark of marks) {
    if (mark.node !== undefined) { tree.leavesIn([mark.node]).forEach((x, i) => { if (x) hit[i] = mark.sign > 0; }); continue; }
    const region = mark.level === "persistent" && persistent ? persistent : tree.labels(mark.level === "persistent" ? 1 : mark.level);
    const touched = new Map(), all = mark.leaves.reduce((s, [, c]) => s + c, 0);
    for (const [i, c] of mark.leaves) touched.set(region[i], (touched.get(region[i]) || 0) + c);
    for (let i = 0; i < tree.n; i++) if (region[i] >= 0 && (touched.get(region[i]) || 0) >= 0.1 * all) hit[i] = mark.sign > 0;
  }
  return hit;
}

// The connected pieces of a mask that hold a marked pixel; the largest piece if none does.
export function touchedPieces(mask, H, W, seeds) {
  const { piece, size } = pieces(mask, H, W);
  let keep = new Set(seeds.filter(i => mask[i]).map(i => piece[i]));
  if (!keep.size) keep = new Set([size.reduce((best, x, i) => i && x > size[best] ? i : best, 0)]);
  return mask.map((x, i) => x && keep.has(piece[i]) ? 1 : 0);
}

// The number of each pixel's piece, from 1, and the pieces' sizes; pixels that share a side are connected.
function pieces(mask, H, W) {
  const piece = new Int32Array(H * W), size = [0], stack = [];
  for (let s = 0; s < H * W; s++) {
    if (!mask[s] || piece[s]) continue;
    let area = 0; piece[s] = size.length; stack.push(s);
    while (stack.length) {
      const i = stack.pop(), c = i % W; area++;
      for (const j of [c > 0 ? i - 1 : -1, c < W - 1 ? i + 1 : -1, i - W, i + W])
        if (j >= 0 && j < H * W && mask[j] && !piece[j]) { piece[j] = piece[s]; stack.push(j); }
    }
    size.push(area);
  }
  return { piece, size };
}

// Files ----------------------------------------------------------------------------------------------------------------------------
const packed = (type, values, shape) => {
  const head = `{'descr': '${type}', 'fortran_order': False, 'shape': (${shape.join(", ")}${shape.length === 1 ? "," : ""}), }`;
  const text = head.padEnd(Math.ceil((head.length + 11) / 64) * 64 - 11) + "\n", start = new Uint8Array(10 + text.length);
  start.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, text.length & 255, text.length >> 8]);
  start.set(new TextEncoder().encode(text), 10);
  return new Blob([start, values]);
};
const squeezed = (blob, kind) => new Response(blob.stream().pipeThrough(new CompressionStream(kind))).blob();

// `grid`: for each axis of the file the axis of the array and whether it runs the other way, so that the file lies as the source does.
async function nifti(values, shape, { axes, flips, affine, unit }) {
  const view = new DataView(new ArrayBuffer(352)), bits = 8 * values.BYTES_PER_ELEMENT, whole = [...shape, 1].slice(0, 3), dims = axes.map(a => whole[a]);
  const stride = axes.map(a => whole.slice(a + 1).reduce((x, y) => x * y, 1)), out = new values.constructor(values.length);
  const at = (i, x) => stride[i] * (flips[i] ? dims[i] - 1 - x : x);
  for (let z = 0, n = 0; z < dims[2]; z++) for (let y = 0; y < dims[1]; y++) for (let x = 0; x < dims[0]; x++) out[n++] = values[at(0, x) + at(1, y) + at(2, z)];
  view.setInt32(0, 348, true);
  [3, ...dims, 1, 1, 1, 1].forEach((x, i) => view.setInt16(40 + 2 * i, x, true));
  view.setInt16(70, bits === 8 ? 2 : 512, true); view.setInt16(72, bits, true);
  [1, ...[0, 1, 2].map(j => Math.hypot(affine[0][j], affine[1][j], affine[2][j]) || 1)].forEach((x, i) => view.setFloat32(76 + 4 * i, x, true));
  view.setFloat32(108, 352, true); view.setFloat32(112, 1, true); view.setInt8(123, unit === "mm" ? 2 : 0); view.setInt16(254, 1, true);
  for (let i = 0; i < 3; i++) for (let j = 0; j < 4; j++) view.setFloat32(280 + 16 * i + 4 * j, affine[i][j], true);
  [0x6e, 0x2b, 0x31, 0].forEach((x, i) => view.setUint8(344 + i, x));
  return squeezed(new Blob([view.buffer, out]), "gzip");
}

async function png(values, H, W, palette) {                       // of eight bits, with the colours of the regions
  const table = Uint32Array.from({ length: 256 }, (_, i) => { let c = i; for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1; return c >>> 0; });
  const crc = bytes => { let c = 0xffffffff; for (const b of bytes) c = table[(c ^ b) & 255] ^ (c >>> 8); return (c ^ 0xffffffff) >>> 0; };
  const chunk = (name, body) => {
    const out = new Uint8Array(12 + body.length), view = new DataView(out.buffer);
    view.setUint32(0, body.length); out.set(new TextEncoder().encode(name), 4); out.set(body, 8);
    view.setUint32(8 + body.length, crc(out.subarray(4, 8 + body.length)));
    return out;
  };
  const head = new Uint8Array(13), size = new DataView(head.buffer), rows = new Uint8Array(H * (W + 1));
  size.setUint32(0, W); size.setUint32(4, H); head.set([8, 3, 0, 0, 0], 8);
  for (let r = 0; r < H; r++) rows.set(values.subarray(r * W, (r + 1) * W), r * (W + 1) + 1);
  const colours = palette.slice(); colours.set([0, 0, 0], 0);
  const body = new Uint8Array(await (await squeezed(new Blob([rows]), "deflate")).arrayBuffer());
  return new Blob([new Uint8Array([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]), chunk("IHDR", head), chunk("PLTE", colours), chunk("IDAT", body), chunk("IEND", new Uint8Array(0))], { type: "image/png" });
}

function download(blob, name) {
  const a = document.createElement("a");
  a.href = URL.createObjectURL(blob); a.download = name; a.click();
  setTimeout(() => URL.revokeObjectURL(a.href), 10000);
}

// What is drawn --------------------------------------------------------------------------------------------------------------------
const SELECTION = [255, 212, 0], NEGATIVE = "#ff5a5f", KEPT = 2 ** 28;  // bytes of planes that stay
const short = x => x >= 1000 ? Math.round(x).toLocaleString("en") : x >= 100 ? x.toFixed(0) : x >= 10 ? x.toFixed(1) : x >= 0.1 || x === 0 ? x.toFixed(2) : x.toPrecision(2);

// The borders between the numbers of a grid as one path, in its cells; null where that would be too much to stroke.
function borders(x, h, w) {
  const path = new Path2D();
  let n = 0;
  for (let r = 0; r < h - 1; r++) for (let c = 0, i = r * w; c < w; c++) {        // lines below a row, joined as far as they go
    if (x[i + c] === x[i + c + w]) continue;
    const from = c; while (c < w && x[i + c] !== x[i + c + w]) c++;
    path.moveTo(from, r + 1); path.lineTo(c, r + 1); if (++n > 300000) return null;
  }
  for (let c = 0; c < w - 1; c++) for (let r = 0; r < h; r++) {
    if (x[r * w + c] === x[r * w + c + 1]) continue;
    const from = r; while (r < h && x[r * w + c] !== x[r * w + c + 1]) r++;
    path.moveTo(c + 1, from); path.lineTo(c + 1, r); if (++n > 300000) return null;
  }
  return path;
}

const paint = (size, fill) => {
  const canvas = new OffscreenCanvas(size[1], size[0]), context = canvas.getContext("2d"), data = context.createImageData(size[1], size[0]);
  fill(new Uint32Array(data.data.buffer)); context.putImageData(data, 0, 0);
  return canvas;
};
const words = e => /^Cannot send|disposed|disconnected/i.test(e.message) ? "The kernel was restarted or is gone. Run the cell again." : String(e.message || e);
const rgba = (r, g, b, a = 255) => ((a << 24) | (b << 16) | (g << 8) | r) >>> 0;

// The element ----------------------------------------------------------------------------------------------------------------------
const HTML = `
<div class="root" part="root" tabindex="-1">
  <div class="bar" role="toolbar" aria-label="Tools">
    <span class="group" role="group" aria-label="What a click does">
      <button data-do="add" aria-pressed="true" title="Click or paint what belongs to the structure (A)">+ Add</button>
      <button data-do="subtract" aria-pressed="false" title="Click or paint what does not belong to it (S, or hold Alt)">− Subtract</button>
    </span>
    <span class="group" role="group" aria-label="Changes">
      <button data-do="undo" title="Undo (Z)">Undo</button>
      <button data-do="redo" title="Redo (Y)">Redo</button>
      <button data-do="clear" title="Start anew (Esc)">Clear</button>
    </span>
    <span class="group" role="group" aria-label="How the structure is found">
      <button data-do="auto" aria-pressed="false" title="Let the marks choose the level at which the structure is most itself, as seg.mask does (F)">Fit level</button>
      <button data-do="connected" aria-pressed="false" title="Only what hangs together with the marks (C)">Connected</button>
    </span>
    <label class="choice">Show <select data-set="show" aria-label="What is laid over the image">
      <option value="level">regions</option><option value="persistent">persistent</option></select></label>
    <button data-do="persistent" aria-pressed="false" title="The structures that live longest (P)">Persistent</button>
    <button data-do="outlines" aria-pressed="true" title="Outlines of the regions (O)">Outlines</button>
    <label class="choice">Opacity <input type="range" data-set="opacity" min="0" max="1" step="0.05" aria-label="Opacity of the overlay"></label>
    <span class="group zoom" role="group" aria-label="Zoom">
      <button data-do="in" title="Nearer (Ctrl and wheel; Shift and drag moves the image)" aria-label="Zoom in">+</button><button data-do="out" title="Farther" aria-label="Zoom out">−</button><button data-do="fit" title="All of the image">Whole</button>
    </span>
  </div>
  <div class="strip" role="listbox" aria-label="Images" hidden></div>
  <div class="main">
    <div class="left">
      <canvas class="picture" tabindex="0" role="application" aria-roledescription="image to click on"></canvas>
      <div class="row level">
        <label for="level">Granularity</label>
        <span class="end">coarse</span><div class="track"><input id="level" type="range" min="0" max="1000" step="1" data-set="level" aria-label="Granularity, from coarse to fine"><svg class="ticks" aria-hidden="true"></svg></div><span class="end">fine</span>
        <output class="count"></output>
      </div>
      <div class="row slice" hidden><label for="plane">Slice</label><input id="plane" type="range" min="0" step="1" data-set="plane" aria-label="Slice"><output class="at"></output></div>
    </div>
    <div class="right">
      <figure><figcaption>Embedding <button class="small" data-do="phate" hidden aria-pressed="false" title="Coordinates that keep near and far (PHATE, a few seconds), or principal coordinates">PHATE</button></figcaption>
        <canvas class="embedding" role="img" aria-label="The landmarks, coloured as their regions"></canvas></figure>
      <figure><figcaption>Barcode <span class="hint">a bar for each structure, as long as it lives</span></figcaption>
        <svg class="barcode" role="group" aria-label="Life of each structure"></svg></figure>
    </div>
  </div>
  <div class="row foot">
    <output class="status" role="status" aria-live="polite"></output>
    <span class="group export" role="group" aria-label="Export">
      <select data-set="what" aria-label="What to export"><option value="mask">mask</option><option value="labels">regions</option><option value="persistent">persistent</option></select>
      <select data-set="format" aria-label="Format"></select>
      <button data-do="export" title="Write a file">Export</button>
    </span>
  </div>
  <p class="where" role="status" aria-live="polite" hidden></p>
</div>`;

const CSS = `
:host { display: block; contain: inline-size; }
.root { --fg: #1d2733; --dim: #56616d; --bg: #fff; --soft: #eef1f4; --line: #c4cbd3; --edge: #7d8791; --bad: #b3261e; --accent: #0b62a4; --on: #dcebf8;
  color: var(--fg); background: var(--bg); font: 13px/1.35 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  border: 1px solid var(--line); border-radius: 8px; padding: 8px; outline: none; container-type: inline-size; max-width: 1100px; box-sizing: border-box; }
.root.dark { --fg: #e8ecf1; --dim: #a9b4c0; --bg: #14191f; --soft: #222a33; --line: #434e5a; --edge: #76828f; --bad: #ff8a80; --accent: #7cc0f5; --on: #1f3d57; }
*, *::before { box-sizing: border-box; }
[hidden] { display: none !important; }
.bar, .row, .group { display: flex; align-items: center; gap: 6px; flex-wrap: wrap; }
.bar { gap: 6px 10px; padding-bottom: 8px; }
.group { gap: 0; flex-wrap: nowrap; }
.group > * { border-radius: 0; margin-left: -1px; }
.group > :first-child { border-radius: 5px 0 0 5px; margin-left: 0; } .group > :last-child { border-radius: 0 5px 5px 0; }
button, select { font: inherit; color: var(--fg); background: var(--soft); border: 1px solid var(--edge); border-radius: 5px; padding: 3px 8px; min-height: 28px; cursor: pointer; white-space: nowrap; }
button:hover:not(:disabled) { border-color: var(--accent); z-index: 1; } button:disabled { color: var(--dim); cursor: default; opacity: .6; }
button[aria-pressed=true] { background: var(--on); border-color: var(--accent); z-index: 1; }
button.small { min-height: 20px; padding: 0 6px; font-size: 11px; }
button:focus-visible, select:focus-visible, input:focus-visible, canvas:focus-visible, [tabindex]:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; z-index: 2; }
input[type=range] { accent-color: var(--accent); margin: 0; } .choice { display: inline-flex; align-items: center; gap: 5px; } .choice input { width: 80px; }
.main { display: grid; grid-template-columns: minmax(0, 1fr); gap: 12px; }
@container (min-width: 620px) { .main { grid-template-columns: minmax(0, 5fr) minmax(200px, 3fr); } }
.picture { display: block; width: 100%; background: var(--soft); border-radius: 5px; cursor: crosshair; touch-action: pinch-zoom; }
.row { padding-top: 6px; flex-wrap: nowrap; } .row label { color: var(--dim); flex: none; width: 76px; } .row input[type=range] { flex: 1; width: 100%; } .track { flex: 1; position: relative; padding-bottom: 7px; display: flex; }
.ticks { position: absolute; left: 8px; right: 8px; bottom: -3px; height: 9px; width: calc(100% - 16px); overflow: visible; }
.ticks line { stroke: var(--dim); stroke-width: 1.5; } .ticks line.on { stroke: var(--accent); stroke-width: 3; }
.end { color: var(--dim); font-size: 12px; flex: none; } .count, .at { flex: none; min-width: 84px; text-align: right; font-variant-numeric: tabular-nums; }
.right { display: grid; gap: 10px; align-content: start; } figure { margin: 0; } figcaption { font-weight: 600; padding-bottom: 3px; display: flex; gap: 8px; align-items: baseline; } .hint { font-weight: 400; color: var(--dim); font-size: 12px; }
@container (max-width: 619px) { .right { grid-template-columns: 1fr 1fr; } } @container (max-width: 420px) { .right { grid-template-columns: 1fr; } .hint, .row .end { display: none; } .row label { width: auto; } .count, .at { min-width: 70px; } }
.embedding { display: block; width: 100%; aspect-ratio: 4 / 3; background: var(--soft); border-radius: 5px; }
.barcode { display: block; width: 100%; height: 170px; background: var(--soft); border-radius: 5px; } .barcode rect { cursor: pointer; } .barcode rect.chosen { stroke: var(--fg); stroke-width: 1.5; } .barcode .now { fill: var(--accent); opacity: .25; } .barcode text { fill: var(--dim); font-size: 10px; }
.strip { display: flex; gap: 6px; overflow-x: auto; padding-bottom: 8px; } .strip button { flex: none; width: 76px; padding: 3px; display: grid; gap: 2px; justify-items: center; min-height: 0; } .strip canvas { width: 64px; height: 64px; object-fit: contain; background: var(--bg); border-radius: 3px; } .strip span { max-width: 68px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; font-size: 11px; }
.strip [aria-selected=true] { border-color: var(--accent); background: var(--on); }
.foot { flex-wrap: wrap; justify-content: space-between; } .status { flex: 1 1 260px; min-height: 2.7em; font-variant-numeric: tabular-nums; } .where { margin: 4px 0 0; color: var(--dim); overflow-wrap: anywhere; } .where.bad { color: var(--bad); }
.export button { background: var(--accent); color: var(--bg); border-color: var(--accent); }
@media (prefers-reduced-motion: no-preference) { button { transition: background .12s, border-color .12s; } }`;

const START = { image: 0, plane: null, level: null, show: "level", marks: [], auto: false, connected: false, opacity: 0.5, outlines: true };

class Explorer {
  constructor(el, host) {
    this.el = el; el.explorer = this; this.host = host; this.state = { ...START, ...host.state() }; this.past = []; this.future = [];
    this.known = []; this.images = new Map(); this.planes = new Map(); this.sign = 1; this.off = new AbortController(); this.view = null;
    el.dataset.lmSuppressShortcuts = "true"; Object.assign(el.style, { maxWidth: "1100px", marginInline: "auto" });      // JupyterLab sees no keys that are pressed in here
    const shadow = el.shadowRoot || el.attachShadow({ mode: "open" });
    shadow.innerHTML = `<style>${CSS}</style>${HTML}`;
    this.root = shadow.querySelector(".root"); this.$ = s => this.root.querySelector(s);
    this.canvas = this.$(".picture"); this.dots = this.$(".embedding");
    if (host.names.length > 1) this.$('[data-set="what"]').add(new Option("masks of all", "masks"), 1);
    if (host.pages) this.$('[data-set="what"]').add(new Option("this page", "page"));
    this.$('[data-set="format"]').replaceChildren(...host.formats.map(f => new Option(f, f)));
    this.listen(); this.adapt(); this.strip(); this.open(this.state.image);
  }

  destroy() { this.off.abort(); this.sizes?.disconnect(); this.themes?.disconnect(); }
  on(target, kinds, f, options = {}) { for (const kind of kinds.split(" ")) target.addEventListener(kind, f, { signal: this.off.signal, ...options }); }

  // Light or dark, as the page behind it is.
  adapt() {
    const look = () => {
      let node = this.el, colour = "";
      while (node && node.nodeType === 1) { const c = getComputedStyle(node).backgroundColor; if (c && !/^(transparent|rgba\(.*, 0\))$/.test(c)) { colour = c; break; } node = node.parentNode?.host || node.parentNode; }
      const [r, g, b] = (colour.match(/[\d.]+/g) || (matchMedia("(prefers-color-scheme: dark)").matches && getComputedStyle(document.documentElement).colorScheme.includes("dark") ? [0, 0, 0] : [255, 255, 255])).map(Number);
      const dark = 0.3 * r + 0.59 * g + 0.11 * b < 128;
      if (this.root.classList.toggle("dark", dark) !== this.dark) { this.dark = dark; this.draw(); }
    };
    this.themes = new MutationObserver(look);
    for (const node of [document.documentElement, document.body]) this.themes.observe(node, { attributes: true, attributeFilter: ["class", "style", "data-jp-theme-light", "data-theme", "data-bs-theme"] });
    this.on(matchMedia("(prefers-color-scheme: dark)"), "change", look);
    this.sizes = new ResizeObserver(() => { look(); this.draw(); });
    this.sizes.observe(this.root);
    look();
  }

  // Images and planes, fetched when they are first looked at.
  async image(i) {
    if (!this.images.has(i)) this.images.set(i, Promise.resolve(this.host.image(i)).then(x => {
      const tree = new Tree(x.tree), same = this.known.find(y => y && y.tree.n === tree.n && y.tree.parent.every((p, j) => p === tree.parent[j]) && y.tree.death.every((d, j) => d === tree.death[j]));
      const s = x.structures, structures = { ...s, born: doubles(s.born), ended: doubles(s.ended) };
      return this.known[i] = { ...x, structures, tree: same ? same.tree : tree, spatial: x.shape.slice(-2), depth: x.shape.length === 3 ? x.shape[0] : 1 };
    }).catch(e => { this.images.delete(i); throw e; }));
    return this.images.get(i);
  }

  async plane(i, z) {
    const key = `${i}/${z}`;
    if (!this.planes.has(key)) {
      for (const old of this.planes.keys()) if (this.planes.size * this.bytes > KEPT) this.planes.delete(old);
      this.planes.set(key, Promise.all([this.image(i), this.host.plane(i, z)]).then(([x, p]) => { this.bytes = 11 * p.map.length; return { ...p, base: paint(x.spatial, out => {
        const v = p.image, colour = v.length === 3 * out.length;
        for (let j = 0; j < out.length; j++) out[j] = colour ? rgba(v[3 * j], v[3 * j + 1], v[3 * j + 2]) : rgba(v[j], v[j], v[j]);
      }) }; }).catch(e => { this.planes.delete(key); throw e; }));
    }
    return this.planes.get(key);
  }

  async open(i, z = null) {
    const wanted = this.wanted = { image: i, plane: z };
    try {
      const [now] = await Promise.all([i, ...this.state.marks.map(m => m.image)].map(j => this.image(j)));      // marks of others may mean something here
      if (wanted !== this.wanted) return;
      z = Math.min(z ?? (this.now === now ? this.state.plane : null) ?? now.depth >> 1, now.depth - 1);
      const flat = await this.plane(i, z);
      if (wanted !== this.wanted) return;                       // something else was asked for meanwhile
      if (this.now !== now) this.view = null;
      this.now = now; this.flat = flat; this.wanted = null; Object.assign(this.state, { image: i, plane: z });
      this.fill(); this.changed();
    } catch (e) { if (wanted === this.wanted) { this.wanted = null; this.say(words(e), true); } }
  }

  get k() { return Math.max(1, Math.min(this.state.level ?? this.now.start, this.now.tree.n)); }   // the level of this image

  // Controls that depend on the image.
  fill() {
    const { now } = this, show = this.$('[data-set="show"]'), options = { level: "regions", persistent: "persistent", ...(now.kmeans ? { kmeans: "k-means" } : {}), ...(now.truth ? { truth: "truth" } : {}), nothing: "nothing" };
    show.replaceChildren(...Object.entries(options).map(([k, v]) => new Option(v, k)));
    if (!options[this.state.show]) this.state.show = "level";
    this.$(".slice").hidden = now.depth === 1; this.$("#plane").max = now.depth - 1;
    this.$(".ticks").innerHTML = "<title>Ticks: levels that last (Shift and an arrow key goes to the next)</title>" + now.levels.filter(k => k <= now.tree.n).map(k => `<line data-k="${k}" x1="${100 * this.position(k) / 1000}%" x2="${100 * this.position(k) / 1000}%" y1="0" y2="7"></line>`).join("");
    this.$('[data-do="phate"]').hidden = !this.host.phate || now.tree.n < 10 || !now.coordinates;
    this.$('[data-do="phate"]').setAttribute("aria-pressed", !!now.spread);
    this.$('[data-do="connected"]').disabled = now.depth > 1;
    this.canvas.setAttribute("aria-label", `${now.name || "image"}: ${now.shape.join(" × ")} pixels. Alt and arrows move the cursor, Enter marks.`);
    this.bars();
    for (const b of this.$(".strip").children) {
      const on = +b.dataset.image === this.state.image;
      b.setAttribute("aria-selected", on); b.tabIndex = on ? 0 : -1;
      if (on) b.parentNode.scrollLeft = Math.max(0, b.offsetLeft - b.parentNode.offsetLeft - 120);
    }
  }

  position(k) { return this.now.tree.n > 1 ? 1000 * Math.log(k) / Math.log(this.now.tree.n) : 0; }

  async strip() {
    const strip = this.$(".strip"); strip.hidden = this.host.names.length < 2;
    if (strip.hidden) return;
    strip.replaceChildren(...this.host.names.map((name, i) => {
      const b = document.createElement("button"); b.setAttribute("role", "option"); b.dataset.image = i; b.title = name;
      b.append(document.createElement("canvas"), Object.assign(document.createElement("span"), { textContent: name })); return b;
    }));
    const seen = new IntersectionObserver(entries => { for (const e of entries) if (e.isIntersecting) { seen.unobserve(e.target); this.thumb(e.target); } }, { root: strip, rootMargin: "200px" });
    for (const b of strip.children) seen.observe(b);
    this.off.signal.addEventListener("abort", () => seen.disconnect());
  }

  async thumb(b) {
    try {
      const { thumb: t } = await this.image(+b.dataset.image), [h, w] = t.shape, k = t.length / (h * w);
      Object.assign(b.firstChild, { width: w, height: h });
      b.firstChild.getContext("2d").drawImage(paint([h, w], out => { for (let j = 0; j < out.length; j++) out[j] = rgba(t[k * j], t[k * j + (k > 1)], t[k * j + 2 * (k > 1)]); }), 0, 0);
    } catch (e) { b.title += `: ${words(e)}`; }
  }

  // Changes of what is meant, which can be undone.
  change(more) {
    this.past.push(this.meant()); this.future = []; Object.assign(this.state, more); this.changed();
  }
  meant() { const { marks, auto, connected, level, image } = this.state; return { marks: marks.map(m => ({ ...m })), auto, connected, level, image }; }
  step(from, to) {                                                // where the change was made
    if (!from.length) return;
    to.push({ ...this.meant(), image: from[from.length - 1].image });
    const { image, ...rest } = from.pop(); Object.assign(this.state, rest);
    if (image === this.state.image || this.known[image]?.tree === this.now.tree) this.changed(); else this.open(image);
  }

  level(k) {
    k = Math.max(1, Math.min(Math.round(k), this.now.tree.n));
    const last = this.marks().pop();
    if (last && last.node === undefined && last.level !== "persistent") last.level = k;       // the mark made last grows and shrinks with the slider
    this.state.level = k; if (this.state.show !== "level") this.state.show = "level";
    this.changed();
  }

  mark(pixels, sign) {
    const { state, flat } = this, [, W] = this.now.spatial, count = new Map();
    for (const [r, c] of pixels) { const leaf = flat.map[r * W + c]; count.set(leaf, (count.get(leaf) || 0) + 1); }
    const level = state.show === "persistent" ? "persistent" : this.k;
    this.change({ marks: [...state.marks, { sign, level, image: state.image, plane: state.plane, path: pixels, leaves: [...count] }] });
  }

  // Marks of this image, and those of others with the same tree.
  marks() { return this.state.marks.filter(m => m.image === this.state.image || this.sameTree(m.image)); }
  sameTree(i) { return this.known[i]?.tree === this.now.tree; }

  // The pixels that a mark speaks of, for `connected`.
  seeds(m) {
    const { map } = this.flat, W = this.now.spatial[1];
    if (m.image === this.state.image && m.path) return m.path.map(([r, c]) => r * W + c);
    if (m.image === this.state.image && m.pixels) return m.pixels;
    if (m.path || m.pixels) return [];
    const of = new Set(m.node === undefined ? m.leaves.map(([i]) => i) : this.now.tree.leavesIn([m.node]).reduce((a, x, i) => x ? [...a, i] : a, [])), found = [];
    map.forEach((leaf, i) => { if (of.has(leaf)) found.push(i); });
    return found;
  }

  changed() {
    const { now, state, flat } = this, mine = this.marks();
    state.level ??= now.start;
    this.region = now.tree.labels(this.k);
    this.hit = selected(now.tree, mine, { auto: state.auto, persistent: now.persistent });
    this.any = this.hit.some(x => x);
    const mask = flat.map, hit = this.hit; this.mask = null;
    if (this.any && state.connected && now.depth === 1) {
      const [H, W] = now.spatial, own = mine.filter(m => m.sign > 0).flatMap(m => this.seeds(m));
      this.mask = touchedPieces(Uint8Array.from(mask, i => hit[i]), H, W, own);
    }
    this.layers = null;
    this.host.store(state); this.controls(); this.draw(); this.say();
  }

  controls() {
    const { state, now } = this, press = (name, on) => this.$(`[data-do="${name}"]`).setAttribute("aria-pressed", on);
    press("add", this.sign > 0); press("subtract", this.sign < 0); press("auto", state.auto); press("connected", state.connected); press("outlines", state.outlines); press("persistent", state.show === "persistent");
    this.$('[data-do="undo"]').disabled = !this.past.length; this.$('[data-do="redo"]').disabled = !this.future.length; this.$('[data-do="clear"]').disabled = !this.marks().length;
    this.$('[data-set="show"]').value = state.show; this.$('[data-set="opacity"]').value = state.opacity;
    const slider = this.$("#level"), k = this.k, words = `${k} region${k === 1 ? "" : "s"}${now.levels.includes(k) ? ", salient" : ""}`;
    if (this.dragging !== slider) slider.value = this.position(k);
    slider.setAttribute("aria-valuetext", words); this.$(".count").textContent = `${k} region${k === 1 ? "" : "s"}`;
    for (const line of this.$(".ticks").querySelectorAll("line")) line.classList.toggle("on", +line.dataset.k === k);
    this.$("#plane").value = this.wanted?.plane ?? state.plane; this.$(".at").textContent = `${state.plane + 1} of ${now.depth}`;
  }

  // The number of each leaf in what is shown, 0 for nothing; or a map of its own.
  shown() {
    const { state, flat, now, region } = this, next = x => Int32Array.from(x, y => y + 1);
    if (state.show === "level") return { leaves: next(region) };
    if (state.show === "persistent") return { leaves: next(now.persistent) };
    return { pixels: { kmeans: flat.kmeans, truth: flat.truth }[state.show], leaves: new Int32Array(now.tree.n) };
  }

  // What is laid over the part of the image that is in sight, in no more cells than there are points on the screen.
  layer(dpr) {
    const { state, flat, now, view: v } = this, [H, W] = now.spatial, step = (s, n) => Math.max(1, Math.min(Math.floor(1 / (s * dpr)), n));
    const fy = step(v.sy, H), fx = step(v.sx, W), clip = (x, n) => Math.max(0, Math.min(x, n));
    const c0 = fx * Math.floor(clip(-v.x / v.sx, W) / fx), r0 = fy * Math.floor(clip(-v.y / v.sy, H) / fy);
    const w = Math.ceil((clip((v.width - v.x) / v.sx, W) - c0) / fx), h = Math.ceil((clip((v.height - v.y) / v.sy, H) - r0) / fy), key = [c0, r0, w, h, fx, fy].join();
    if (this.layers?.key === key) return this.layers;
    if (w < 1 || h < 1) return null;
    const { leaves, pixels } = this.shown(), { hit, mask } = this, { map } = flat, number = new Int32Array(h * w), inside = new Uint8Array(h * w);
    for (let r = 0, n = 0; r < h; r++) for (let c = 0, i = Math.min(r0 + r * fy, H - 1) * W; c < w; c++, n++) {
      const at = i + Math.min(c0 + c * fx, W - 1);
      number[n] = pixels ? pixels[at] : leaves[map[at]]; inside[n] = mask ? mask[at] : hit[map[at]];
    }
    const p = now.palette, alpha = Math.round(255 * state.opacity), dim = this.any ? alpha >> 1 : alpha, colour = new Uint32Array(256), chosen = rgba(...SELECTION, Math.max(alpha >> 1, 40));
    for (let i = 0; i < 256; i++) colour[i] = rgba(p[3 * i], p[3 * i + 1], p[3 * i + 2], dim);
    const fill = paint([h, w], out => { for (let n = 0; n < out.length; n++) out[n] = inside[n] ? chosen : number[n] ? colour[number[n] & 255] : 0; });
    return this.layers = { key, fill, x: c0, y: r0, fx, fy, regions: state.outlines && state.show !== "nothing" ? borders(number, h, w) : null, mask: this.any ? borders(inside, h, w) : null };
  }

  draw() {
    if (!this.flat || this.pending) return;
    this.pending = true;
    const asked = performance.now();
    requestAnimationFrame(() => {
      this.pending = false;
      if (this.off.signal.aborted) return;
      this.picture(); this.embedding(); this.barcode();
      this.el.dispatchEvent(new CustomEvent("drawn", { detail: { ms: performance.now() - asked } }));
    });
  }

  fit() { // the whole image in the canvas
    const [H, W] = this.now.spatial, [sy, sx] = this.now.spacing.slice(-2), width = this.canvas.clientWidth || 300, ratio = sy / sx;
    const height = Math.min(Math.max(H * ratio * width / W, 60), Math.max(0.75 * innerHeight, 240));
    this.canvas.style.height = `${height}px`;
    const s = Math.min(width / W, height / (H * ratio));
    this.whole = { sx: s, sy: s * ratio, x: (width - s * W) / 2, y: (height - s * ratio * H) / 2, width, height };
    if (!this.view || this.view.at !== width) this.view = { ...this.whole, zoom: 1, at: width };
  }

  zoom(factor, x = this.whole.width / 2, y = this.whole.height / 2) {
    const v = this.view, zoom = Math.max(1, Math.min(v.zoom * factor, 40)), f = zoom / v.zoom;
    Object.assign(v, zoom === 1 ? { ...this.whole } : { sx: v.sx * f, sy: v.sy * f, x: x - (x - v.x) * f, y: y - (y - v.y) * f }, { zoom });
    this.draw();
  }

  // The image stays in sight.
  hold() {
    const v = this.view, [H, W] = this.now.spatial, keep = (at, size, room, whole) => size <= room ? whole : Math.max(room - size, Math.min(at, 0));
    v.x = keep(v.x, W * v.sx, v.width, (v.width - W * v.sx) / 2); v.y = keep(v.y, H * v.sy, v.height, (v.height - H * v.sy) / 2);
  }

  picture() {
    this.fit(); this.hold();
    const { canvas, state, flat, now, view: v } = this, [H, W] = now.spatial, dpr = devicePixelRatio || 1, g = canvas.getContext("2d");
    if (canvas.width !== Math.round(v.width * dpr) || canvas.height !== Math.round(v.height * dpr)) { canvas.width = Math.round(v.width * dpr); canvas.height = Math.round(v.height * dpr); }
    g.setTransform(1, 0, 0, 1, 0, 0); g.clearRect(0, 0, canvas.width, canvas.height);
    g.setTransform(v.sx * dpr, 0, 0, v.sy * dpr, v.x * dpr, v.y * dpr); g.imageSmoothingEnabled = v.sx * dpr < 1;
    g.drawImage(flat.base, 0, 0);
    const layer = this.layer(dpr);
    if (layer) {
      const { x, y, fx, fy } = layer, sx = v.sx * fx, sy = v.sy * fy;
      g.setTransform(sx * dpr, 0, 0, sy * dpr, (v.x + x * v.sx) * dpr, (v.y + y * v.sy) * dpr);
      g.drawImage(layer.fill, 0, 0); g.lineCap = "square";
      for (const [path, style, width] of [[layer.regions, "rgba(255,255,255,.75)", 1], [layer.mask, "rgba(0,0,0,.8)", 4], [layer.mask, `rgb(${SELECTION})`, 2]])
        if (path) { g.strokeStyle = style; g.lineWidth = width / Math.sqrt(sx * sy); g.stroke(path); }
    }
    for (const m of state.marks) if (m.path && m.image === state.image && m.plane === state.plane) this.drawMark(g, m.path, m.sign, dpr);
    if (this.stroke) this.drawMark(g, this.stroke.pixels, this.stroke.sign, dpr);
    if (this.cursor) { const [r, c] = this.cursor, x = (c + .5) * v.sx + v.x, y = (r + .5) * v.sy + v.y; g.setTransform(dpr, 0, 0, dpr, 0, 0); for (const [style, w] of [["#000", 3], ["#fff", 1]]) { g.strokeStyle = style; g.lineWidth = w; g.beginPath(); g.moveTo(x - 9, y); g.lineTo(x + 9, y); g.moveTo(x, y - 9); g.lineTo(x, y + 9); g.stroke(); } }
  }

  drawMark(g, path, sign, dpr) {
    const v = this.view, at = ([r, c]) => [(c + .5) * v.sx + v.x, (r + .5) * v.sy + v.y];
    g.save(); g.setTransform(dpr, 0, 0, dpr, 0, 0); g.lineJoin = g.lineCap = "round";
    g.beginPath();
    if (path.length === 1) { const [x, y] = at(path[0]); g.arc(x, y, 4, 0, 7); } else path.forEach((q, i) => i ? g.lineTo(...at(q)) : g.moveTo(...at(q)));
    for (const [style, w] of [["#000", 5], [sign > 0 ? "#fff" : NEGATIVE, 2.5]]) { g.strokeStyle = style; g.lineWidth = w; g.stroke(); }
    g.restore();
  }

  embedding() {
    const { dots, now, region, state } = this, xy = now.spread ? now.phate : now.coordinates, n = now.tree.n, dpr = devicePixelRatio || 1, w = dots.clientWidth, h = dots.clientHeight, g = dots.getContext("2d");
    if (!w || !xy) return;
    dots.width = w * dpr; dots.height = h * dpr; g.setTransform(dpr, 0, 0, dpr, 0, 0);
    let [x0, x1, y0, y1] = [Infinity, -Infinity, Infinity, -Infinity];
    for (let i = 0; i < n; i++) { x0 = Math.min(x0, xy[2 * i]); x1 = Math.max(x1, xy[2 * i]); y0 = Math.min(y0, xy[2 * i + 1]); y1 = Math.max(y1, xy[2 * i + 1]); }
    const s = Math.min((w - 24) / (x1 - x0 || 1), (h - 24) / (y1 - y0 || 1)), total = now.counts.reduce((a, b) => a + b, 0);
    this.spots = Array.from({ length: n }, (_, i) => [w / 2 + s * (xy[2 * i] - (x0 + x1) / 2), h / 2 - s * (xy[2 * i + 1] - (y0 + y1) / 2), Math.max(1.5, Math.sqrt(now.counts[i] / total * w * h * 0.12))]);
    const which = state.show === "persistent" ? now.persistent : region, p = now.palette;
    for (const front of [0, 1]) for (let i = 0; i < n; i++) {
      if (this.hit[i] !== front) continue;
      const k = 3 * ((which[i] + 1) & 255), [x, y, r] = this.spots[i];
      g.beginPath(); g.arc(x, y, r, 0, 7); g.globalAlpha = this.any && !front ? .35 : .9; g.fillStyle = which[i] < 0 ? "#888" : `rgb(${p[k]},${p[k + 1]},${p[k + 2]})`; g.fill();
      if (front) { g.globalAlpha = 1; g.strokeStyle = this.dark ? "#fff" : "#000"; g.lineWidth = 2.5; g.stroke(); g.strokeStyle = `rgb(${SELECTION})`; g.lineWidth = 1.2; g.stroke(); }
    }
    g.globalAlpha = 1;
    if (this.under !== undefined) { const [x, y, r] = this.spots[this.under]; g.beginPath(); g.arc(x, y, r + 4, 0, 7); g.strokeStyle = this.dark ? "#fff" : "#000"; g.lineWidth = 2; g.stroke(); }
  }

  // The bars, laid out once an image.
  bars() {
    const { now } = this, s = now.structures, svg = this.$(".barcode"), order = [], kids = new Map();
    s.parent.forEach((p, i) => kids.set(p, [...kids.get(p) || [], i]));
    const walk = i => { for (const c of (kids.get(i) || []).sort((a, b) => s.share[b] - s.share[a])) { walk(c); } if (i >= 0) order.push(i); };
    walk(-1);
    const last = Math.max(...s.born, ...Array.from(s.ended).filter(isFinite), 0), first = Math.min(...Array.from(s.ended).filter(isFinite), ...Array.from(s.born).filter(x => x > 0), last), pad = (last - first) * .06 || 1;
    now.time = t => 96 - 92 * (Math.max(Math.min(t, last + pad), first - pad) - first + pad) / (last - first + 2 * pad);   // coarse on the left, as on the slider
    const row = 88 / Math.max(order.length, 1), { parent } = now.tree.nodes;
    const region = v => { let u = v; while (u >= now.tree.n) u = this.firstChild(now.tree)[u]; return u; };
    svg.innerHTML = `<rect class="now" y="0" height="100%"></rect>` + order.map((i, j) => {
      const b = now.time(s.born[i]), a = now.time(s.ended[i]), k = 3 * ((region(s.node[i]) + 1) & 255), p = now.palette, words = `structure of ${(100 * s.share[i]).toFixed(1)} % of the image`;
      return `<rect tabindex="${j ? -1 : 0}" role="button" aria-label="${words}" data-node="${s.node[i]}" x="${a}%" width="${Math.max(b - a, .8)}%" y="${2 + j * row}%" height="${Math.max(Math.min(row * .8, 6), .5)}%" rx="1" fill="rgb(${p[k]},${p[k + 1]},${p[k + 2]})"><title>${words}</title></rect>`;
    }).join("") + `<text x="4%" y="98%">coarse</text><text x="96%" y="98%" text-anchor="end">fine</text>`;
  }

  // The child that passes its number on, of every node that is no leaf.
  firstChild(tree) {
    if (tree._first) return tree._first;
    const m = tree.nodes.m, first = new Int32Array(m).fill(-1), now = Int32Array.from({ length: tree.n }, (_, i) => i);
    for (let k = tree.n - 1; k > 0; k--) { first[m - k] = now[tree.parent[k]]; now[tree.parent[k]] = m - k; }
    return tree._first = first;
  }

  barcode() {
    const { now, state } = this, bar = this.$(".barcode .now"), d = now.tree.death, k = this.k;
    const to = now.time(k < now.tree.n ? d[k] : 0), from = now.time(k > 1 ? d[k - 1] : Infinity);
    bar.setAttribute("x", `${from}%`); bar.setAttribute("width", `${Math.max(to - from, .6)}%`);
    const nodes = new Set(state.marks.filter(m => m.node !== undefined).map(m => m.node));
    for (const r of this.root.querySelectorAll(".barcode rect[data-node]")) r.classList.toggle("chosen", nodes.has(+r.dataset.node));
  }

  // Size and agreement with the truth of what is selected.
  measure() {
    const { now, mask, flat } = this, size = now.spacing.reduce((a, b) => a * b, 1);
    const sum = x => { let s = 0; for (let i = 0; i < this.hit.length; i++) if (this.hit[i]) s += x[i]; return s; };
    const pixels = mask ? mask.reduce((a, b) => a + b, 0) : sum(now.counts);
    const scores = now.truth ? now.truth.classes.map((c, j) => {
      const shared = mask ? mask.reduce((s, x, i) => s + (x && flat.truth[i] === j + 1 ? 1 : 0), 0) : sum(now.truth.shared[j]);
      return [2 * shared / (pixels + now.truth.sizes[j]), c];
    }) : [];
    const small = now.depth === 1 && now.counts.length && flat.map.length <= 2 ** 17, [H, W] = now.spatial;
    const parts = !small ? 0 : pieces(mask || Uint8Array.from(flat.map, i => this.hit[i]), H, W).size.length - 1;
    return { pixels, parts, size: pixels * size, dice: scores.length ? scores.reduce((a, b) => b[0] > a[0] ? b : a) : null };
  }

  say(message, wrong = false) {
    const out = this.$(".status"), { now, state } = this;
    const where = this.$(".where");
    where.hidden = !message; where.textContent = message || ""; where.classList.toggle("bad", wrong);
    if (!now) return;
    const unit = now.unit === "mm" ? (now.depth > 1 ? "mm³" : "mm²") : null;
    if (!this.any) { out.textContent = this.marks().length ? "Nothing is left of the selection." : "Click a structure, or paint over it; it grows and shrinks with the granularity."; return; }
    const m = this.measure(), total = now.counts.reduce((a, b) => a + b, 0), voxel = now.depth > 1 ? "voxels" : "pixels";
    out.textContent = `Selected: ${unit ? `${short(m.size)} ${unit}, ` : ""}${m.pixels.toLocaleString("en")} ${voxel} (${(100 * m.pixels / total).toFixed(1)} %)` + (m.parts > 1 ? ` in ${m.parts} pieces` : "") + (m.dice ? ` · Dice ${m.dice[0].toFixed(3)}${now.truth.classes.length > 1 ? ` with class ${m.dice[1]}` : ""}` : "");
  }

  // Events.
  pixel(e) {
    const box = this.canvas.getBoundingClientRect(), v = this.view, [H, W] = this.now.spatial, f = v.width / box.width;
    const c = Math.floor(((e.clientX - box.left) * f - v.x) / v.sx), r = Math.floor(((e.clientY - box.top) * f - v.y) / v.sy);
    return r >= 0 && c >= 0 && r < H && c < W ? [r, c] : null;
  }

  hover(leaf) { if (leaf !== this.under) { this.under = leaf; this.draw(); } }

  listen() {
    const { canvas, root } = this, slider = this.$("#level");
    this.on(root, "click", e => { const b = e.target.closest?.("[data-do]"); if (b && !b.disabled && this.flat) this.act(b.dataset.do); const i = e.target.closest?.("[data-image]"); if (i) this.open(+i.dataset.image); });
    this.on(slider, "pointerdown", () => { this.dragging = slider; }); this.on(slider, "pointerup change", () => { this.dragging = null; });
    this.on(root, "input change", e => {
      const name = e.target.dataset?.set, value = e.target.value;
      if (!name || !this.flat) return;
      if (name === "level") { if (e.type === "input") this.level(this.now.tree.n ** (value / 1000)); }
      else if (name === "plane") this.open(this.state.image, +value);
      else if (name === "opacity") { this.state.opacity = +value; this.layers = null; this.host.store(this.state); this.draw(); }
      else if (name === "show") { this.state.show = value; this.changed(); }
    });
    this.on(root, "keydown", e => this.key(e));
    this.on(canvas, "pointerdown", e => {
      if (!this.flat) return;
      const at = this.pixel(e);
      if (e.button === 1 || e.button === 0 && e.shiftKey && this.view.zoom > 1) { this.pan = [e.clientX, e.clientY, this.view.x, this.view.y]; canvas.setPointerCapture(e.pointerId); e.preventDefault(); return; }
      if (e.button !== 0 || !at) return;
      this.stroke = { pixels: [at], sign: e.altKey ? -1 : this.sign, touch: e.pointerType === "touch" }; canvas.setPointerCapture(e.pointerId); this.draw();
    });
    this.on(canvas, "pointermove", e => {
      if (!this.flat) return;
      if (this.pan) { const [x, y, vx, vy] = this.pan; this.view.x = vx + e.clientX - x; this.view.y = vy + e.clientY - y; this.draw(); return; }
      const at = this.pixel(e);
      this.hover(at ? this.flat.map[at[0] * this.now.spatial[1] + at[1]] : undefined);
      if (!this.stroke || !at) return;
      for (const step of e.getCoalescedEvents?.().map(x => this.pixel(x)).filter(Boolean) || []) this.draft(step);
      this.draft(at);
    });
    this.on(canvas, "pointerup", () => { this.pan = null; if (this.stroke) { const { pixels, sign } = this.stroke; this.stroke = null; this.mark(pixels, sign); } });
    this.on(canvas, "pointercancel", () => { this.pan = this.stroke = null; this.draw(); });
    this.on(canvas, "pointerleave", () => this.hover(undefined));
    this.on(canvas, "blur", () => { if (this.cursor) { this.cursor = null; this.draw(); } });
    this.on(canvas, "wheel", e => { if (!e.ctrlKey && !e.metaKey) return; e.preventDefault(); const b = canvas.getBoundingClientRect(); this.zoom(Math.exp(-e.deltaY / 200), e.clientX - b.left, e.clientY - b.top); }, { passive: false });
    this.on(this.dots, "pointermove", e => { const i = this.spot(e); this.hover(i); });
    this.on(this.dots, "pointerleave", () => this.hover(undefined));
    this.on(this.dots, "click", e => { const i = this.spot(e); if (i !== undefined) this.change({ marks: [...this.state.marks, { sign: e.altKey ? -1 : this.sign, level: this.state.show === "persistent" ? "persistent" : this.k, image: this.state.image, leaves: [[i, 1]] }] }); });
    this.on(this.$(".barcode"), "click keydown", e => {
      const node = e.target.dataset?.node;
      if (node === undefined || e.type === "keydown" && e.key !== "Enter" && e.key !== " ") return;
      e.preventDefault(); this.change({ marks: [...this.state.marks, { sign: e.altKey ? -1 : this.sign, node: +node, image: this.state.image, leaves: [] }] });
    });
  }

  spot(e) {
    const b = this.dots.getBoundingClientRect(), x = e.clientX - b.left, y = e.clientY - b.top;
    let best, near = 12;
    this.spots?.forEach(([px, py, r], i) => { const d = Math.max(Math.hypot(px - x, py - y) - r, 0); if (d < near) { near = d; best = i; } });
    return best;
  }

  // A line of pixels from the end of the stroke to where the pointer is now.
  draft([r1, c1]) {
    const p = this.stroke.pixels, [r0, c0] = p[p.length - 1], n = Math.max(Math.abs(r1 - r0), Math.abs(c1 - c0));
    for (let i = 1; i <= n; i++) p.push([Math.round(r0 + (r1 - r0) * i / n), Math.round(c0 + (c1 - c0) * i / n)]);
    if (n) this.draw();
  }

  // The cursor of the keyboard has moved: it stays in sight, and is told.
  moved() {
    const [r, c] = this.cursor, v = this.view, [H, W] = this.now.spatial, leaf = this.flat.map[r * W + c];
    const x = (c + .5) * v.sx + v.x, y = (r + .5) * v.sy + v.y;
    if (x < 0 || x > v.width) v.x += v.width / 2 - x;
    if (y < 0 || y > v.height) v.y += v.height / 2 - y;
    this.hover(leaf); this.draw(); this.say(`Row ${r}, column ${c}: region ${this.region[leaf] + 1}.`);
  }

  salient(way) {
    const levels = [...this.now.levels].sort((a, b) => a - b), { k } = this;
    const next = way > 0 ? levels.find(x => x > k) : levels.reverse().find(x => x < k);
    if (next) this.level(next);
  }

  act(name) {
    const { state } = this;
    if (name === "add" || name === "subtract") { this.sign = name === "add" ? 1 : -1; this.controls(); }
    else if (name === "undo") this.step(this.past, this.future);
    else if (name === "redo") this.step(this.future, this.past);
    else if (name === "clear") { const mine = this.marks(); if (mine.length) this.change({ marks: state.marks.filter(m => !mine.includes(m)) }); }
    else if (name === "auto" || name === "connected") this.change({ [name]: !state[name] });
    else if (name === "outlines") { state.outlines = !state.outlines; this.changed(); }
    else if (name === "persistent") { state.show = state.show === "persistent" ? "level" : "persistent"; this.changed(); }
    else if (name === "in" || name === "out") this.zoom(name === "in" ? 1.5 : 1 / 1.5);
    else if (name === "fit") { this.view = null; this.draw(); }
    else if (name === "phate") this.phate();
    else if (name === "export") this.export();
  }

  async phate() {
    const button = this.$('[data-do="phate"]'), { now, state } = this;
    button.disabled = true; if (!now.phate) this.say("PHATE is computed; this takes some seconds …");
    try { now.phate ||= await this.host.phate(state.image); now.spread = !now.spread; this.say(); this.draw(); } catch (e) { this.say(words(e), true); }
    button.disabled = false; button.setAttribute("aria-pressed", !!this.now.spread);
  }

  async export() {
    const what = this.$('[data-set="what"]').value, format = this.$('[data-set="format"]').value, button = this.$('[data-do="export"]');
    if (what.startsWith("mask") && !this.any) return this.say("There is no selection yet to export: click a structure first.", true);
    button.disabled = true; this.say("Writing …");
    try { this.say(await this.host.export(this, what, format)); } catch (e) { this.say(words(e), true); }
    button.disabled = false;
  }

  // Numbers of every pixel of an image, for a file; as things are now, whatever happens while planes come in.
  async values(what, i = this.state.image) {
    const x = await this.image(i), size = x.spatial[0] * x.spatial[1], { tree } = x;
    const of = what === "labels" ? tree.labels(this.k).map(y => y + 1) : what === "persistent" ? Int32Array.from(x.persistent, y => y + 1) : selected(tree, this.marks(), { auto: this.state.auto, persistent: x.persistent });
    const mask = what === "mask" && i === this.state.image ? this.mask : null, out = new (of.some(y => y > 255) ? Uint16Array : Uint8Array)(x.depth * size);
    for (let z = 0; z < x.depth; z++) { const { map } = await this.host.plane(i, z); for (let j = 0; j < size; j++) out[z * size + j] = mask ? mask[j] : of[map[j]]; }
    return out;
  }

  key(e) {
    if (e.isComposing || !this.flat) return;
    const { state } = this, fine = { ArrowRight: 1, ArrowLeft: -1 }[e.key], plane = { ArrowUp: 1, ArrowDown: -1 }[e.key], field = e.target.matches?.("select, input:not(#level):not(#plane)");
    const done = () => { e.preventDefault(); e.stopPropagation(); };
    const row = e.target.closest?.(".strip, .barcode");
    if (row && (fine || plane)) {                               // from one image, or one bar, to the next
      const them = [...row.querySelectorAll("button, rect[data-node]")], next = them[them.indexOf(e.target) + (fine || -plane)];
      if (next) { e.target.setAttribute("tabindex", -1); next.setAttribute("tabindex", 0); next.focus(); if (next.dataset.image) this.open(+next.dataset.image); }
      return done();
    }
    if (e.key === "Escape" && this.marks().length) { this.act("clear"); return done(); }
    if ((e.ctrlKey || e.metaKey) && e.key.toLowerCase() === "z") { this.act(e.shiftKey ? "redo" : "undo"); return done(); }
    if (field || e.ctrlKey || e.metaKey) return;
    if (e.altKey && (fine || plane) && e.target === this.canvas) { const [H, W] = this.now.spatial, by = e.shiftKey ? 10 : 1, [r, c] = this.cursor || [H >> 1, W >> 1]; this.cursor = [Math.max(0, Math.min(H - 1, r - (plane || 0) * by)), Math.max(0, Math.min(W - 1, c + (fine || 0) * by))]; return this.moved(), done(); }
    if (e.key === "Enter" && e.target === this.canvas && this.cursor) { this.mark([this.cursor], this.sign); return done(); }
    if (fine && e.target.id !== "plane") { if (e.shiftKey) this.salient(fine); else this.level(this.k + fine); return done(); }
    if (plane && this.now.depth > 1) { this.open(state.image, Math.max(0, Math.min(this.now.depth - 1, (this.wanted?.plane ?? state.plane) + plane))); return done(); }
    if (plane && e.target.id === "level") { this.level(this.k + plane); return done(); }
    if (e.altKey) return;
    const name = { a: "add", s: "subtract", z: "undo", y: "redo", p: "persistent", o: "outlines", f: "auto", c: "connected" }[e.key.toLowerCase()];
    if (name && e.target.tagName !== "SELECT") { if (!this.$(`[data-do="${name}"]`).disabled) this.act(name); done(); }
  }
}

// Where the data come from ---------------------------------------------------------------------------------------------------------
// A page: everything is in it, files are made here.
export function mount(el, data) {
  const stem = x => x.name.replace(/\.(nii\.gz|[a-z]{2,5})$/i, "").replace(/[^\p{L}\p{N}._-]+/gu, "_").slice(-100) || "image";
  async function write(x, i, what, format) {
    const image = await x.image(i), values = await x.values(what, i), name = `${stem(image)}_${what === "labels" ? `${x.k}-regions` : what}.${format}`;
    if (format === "png" && image.depth > 1) throw new Error("A volume does not fit into a PNG; take nii.gz or npy.");
    if (format === "png" && values.BYTES_PER_ELEMENT > 1) throw new Error("More than 255 regions do not fit into a PNG; take nii.gz or npy, or a coarser level.");
    download(format === "png" ? await png(values, ...image.spatial, image.palette) : format === "npy" ? packed(values.BYTES_PER_ELEMENT > 1 ? "<u2" : "|u1", values, image.shape) : await nifti(values, image.shape, image.grid), name);
    return name;
  }
  return new Explorer(el, {
    names: data.images.map(x => x.name), formats: ["png", "nii.gz", "npy"], state: () => data.state || {}, store: () => {},
    image: i => ({ ...data.images[i], palette: data.palette }), plane: (i, z) => data.images[i].planes[z],
    async export(x, what, format) {
      if (what !== "masks") return `${await write(x, x.state.image, what, format)} is in your downloads.`;
      let n = 0;
      for (let i = 0; i < data.images.length; i++) { await x.image(i); if (x.sameTree(i)) { await write(x, i, "mask", format); n++; } }
      return `${n} mask${n === 1 ? " is" : "s are"} in your downloads.`;
    },
  });
}

// A notebook: a kernel hands over each image when it is asked for, and writes the files.
export default {
  async render({ model, el }) {
    const waiting = new Map(), view = Math.random().toString(36).slice(2); let count = 0;         // each view knows its own answers
    const restore = (x, buffers) => {
      if (Array.isArray(x)) return x.map(y => restore(y, buffers));
      if (!x || typeof x !== "object") return x;
      if (!("$buffer" in x)) return Object.fromEntries(Object.entries(x).map(([k, v]) => [k, restore(v, buffers)]));
      const { buffer, byteOffset, byteLength } = buffers[x.$buffer], Kind = { uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array, int32: Int32Array, float32: Float32Array, float64: Float64Array }[x.dtype];
      return Object.assign(new Kind(buffer.slice(byteOffset, byteOffset + byteLength)), { shape: x.shape });
    };
    const answer = (message, buffers) => {
      const [good, bad] = waiting.get(message.id) || [];
      if (!good) return;
      waiting.delete(message.id);
      if (message.error) bad(new Error(message.error)); else good(restore(message.data, buffers || []));
    };
    const ask = (what, more = {}) => new Promise((good, bad) => {
      const id = `${view}-${++count}`;
      waiting.set(id, [good, bad]);
      try { model.send({ id, what, ...more }); } catch (e) { waiting.delete(id); bad(e); return; }
      if (what !== "phate" && what !== "export") setTimeout(() => { if (waiting.delete(id)) bad(new Error("The kernel does not answer. Run the cell again.")); }, 120000);
    });
    model.on("msg:custom", answer);
    const own = JSON.stringify, state = () => model.get("state");
    const bytes = model.get("palette"), palette = new Uint8Array(bytes.buffer ?? bytes, bytes.byteOffset ?? 0, bytes.byteLength);  // a DataView
    let timer = null, sent = own(state());
    const explorer = new Explorer(el, {
      names: model.get("names"), formats: model.get("formats"), pages: true, state, image: async i => ({ ...await ask("image", { image: i }), palette }),
      plane: (image, plane) => ask("plane", { image, plane }), phate: model.get("has_phate") ? image => ask("phate", { image }) : null,
      store(s) { clearTimeout(timer); timer = setTimeout(() => { sent = own(s); model.set("state", JSON.parse(sent)); model.save_changes(); }, 60); },
      async export(x, what, format) { clearTimeout(timer); sent = own(x.state); return (await ask("export", { kind: what, format, state: x.state })).text; },
    });
    const fromKernel = () => {
      if (own(state()) === sent) return;
      sent = own(state());
      const { image, plane, ...rest } = JSON.parse(sent), moved = image !== explorer.state.image || plane !== null && plane !== explorer.state.plane;
      Object.assign(explorer.state, rest);
      if (moved || !explorer.flat || rest.marks.some(m => !explorer.known[m.image])) explorer.open(image, plane); else explorer.changed();
    };
    model.on("change:state", fromKernel);
    return () => { explorer.destroy(); model.off("msg:custom", answer); model.off("change:state", fromKernel); };
  },
};
