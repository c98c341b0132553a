// What the live elements of the pages have in common. cuts.elements puts this text, in a block of its own, behind the script of an
// element and calls `start`; nothing here is exported, so that no name can collide.

// Data: numbers come as JSON, arrays as base64 of deflated little-endian bytes.
const KINDS = { uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array, int32: Int32Array, float32: Float32Array };

async function unpack(x) {
  if (Array.isArray(x)) return Promise.all(x.map(unpack));
  if (x === null || typeof x !== "object") return x;
  if (!("$array" in x)) return Object.fromEntries(await Promise.all(Object.entries(x).map(async ([k, v]) => [k, await unpack(v)])));
  const bytes = Uint8Array.from(atob(x.$array), c => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return Object.assign(new KINDS[x.dtype](await new Response(stream).arrayBuffer()), { shape: x.shape });
}

// Parts: nodes, and controls that a keyboard reaches and a screen reader names.
function make(space, tag, attributes, children) {
  const node = document.createElementNS(space, tag);
  for (const [k, v] of Object.entries(attributes ?? {}))
    if (k.startsWith("on")) node.addEventListener(k.slice(2), v);
    else if (v !== false && v != null) node.setAttribute(k, v === true ? "" : v);
  node.append(...children);
  return node;
}
const html = (tag, attributes, ...children) => make("http://www.w3.org/1999/xhtml", tag, attributes, children);
const svg = (tag, attributes, ...children) => make("http://www.w3.org/2000/svg", tag, attributes, children);

// A range with its name and its value in words. `show(number)` returns the words, `change(number)` is called when it moves.
function slider({ label, min = 0, max, step = 1, value = min, show = String, change = () => {} }) {
  const said = html("output"), input = html("input", { type: "range", min, max, step, value });
  const box = html("label", { class: "slider" }, html("span", {}, label), input, said);
  const tell = () => { said.textContent = show(+input.value); input.setAttribute("aria-valuetext", said.textContent); };
  input.addEventListener("input", () => { tell(); change(+input.value); });
  tell();
  return Object.assign(box, { get: () => +input.value, set: v => { input.value = v; tell(); change(+input.value); } });
}

// A slider with a button that moves it. Those who asked for less motion get steps of a second in place of a film.
function player({ rate = 20, ...settings }) {
  const line = slider(settings), button = html("button", { type: "button", onclick: () => play(timer === null) });
  const slow = matchMedia("(prefers-reduced-motion: reduce)");
  let timer = null;
  function play(on) {
    clearTimeout(timer); timer = null;
    button.textContent = on ? "❚❚" : "▶"; button.setAttribute("aria-label", on ? "pause" : "play");
    if (!on) return;
    if (line.get() >= settings.max) line.set(settings.min ?? 0);
    const stride = slow.matches ? Math.ceil(settings.max / 12) : 1;
    const next = () => {
      if (!line.isConnected || line.get() >= settings.max) return play(false);
      line.set(line.get() + stride); timer = setTimeout(next, slow.matches ? 1000 : 1000 / rate);
    };
    timer = setTimeout(next, 0);
  }
  play(false);
  line.addEventListener("pointerdown", () => play(false));
  return Object.assign(html("div", { class: "player" }, button, line), { get: line.get, set: line.set, play });
}

// A choice of one of a few, as radio buttons. `options` are [value, name] pairs.
function choice({ label, options, value, change = () => {} }) {
  const name = "cuts-" + Math.random().toString(36).slice(2);
  const one = ([v, words]) => html("label", {}, html("input", { type: "radio", name, value: v, checked: v === value, onchange: () => change(v) }), words);
  return html("fieldset", { class: "choice" }, html("legend", {}, label), ...options.map(one));
}

// Sets many attributes of a node at once.
function set(node, attributes) { for (const [k, v] of Object.entries(attributes)) node.setAttribute(k, v); return node; }

// Points of the plane as dots, the second axis upwards, both to one scale. `bounds` is [x0, y0, x1, y1]; `pick(i)` is called with the dot
// that a click is nearest to; what is drawn under the dots goes into `under`.
function plane(points, { bounds, label = "", width = 340, pad = 12, r = 4, pick } = {}) {
  const n = points.length / 2, xs = [], ys = [];
  for (let i = 0; i < n; i++) { xs.push(points[2 * i]); ys.push(points[2 * i + 1]); }
  const [x0, y0, x1, y1] = bounds ?? [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
  const scale = (width - 2 * pad) / (x1 - x0), height = (y1 - y0) * scale + 2 * pad;
  const to = (x, y) => [(x - x0) * scale + pad, (y1 - y) * scale + pad];
  const dots = Array.from({ length: n }, () => svg("circle", { r })), under = svg("g"), over = svg("g");
  const node = svg("svg", { viewBox: `0 0 ${width} ${height.toFixed(1)}`, width: "100%", role: "img", "aria-label": label }, under, svg("g", {}, ...dots), over);
  const place = (at, offset = 0) => dots.forEach((dot, i) => { const [x, y] = to(at[offset + 2 * i], at[offset + 2 * i + 1]); set(dot, { cx: x.toFixed(1), cy: y.toFixed(1) }); });
  place(points);
  if (pick) {
    node.style.cursor = "pointer";
    node.addEventListener("click", event => {
      const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(node.getScreenCTM().inverse());
      const far = dots.map(d => (d.getAttribute("cx") - at.x) ** 2 + (d.getAttribute("cy") - at.y) ** 2);
      pick(far.indexOf(Math.min(...far)));
    });
  }
  return { node, dots, under, over, place, to };
}

// A five-pointed star, white with a rim, to mark one dot.
function star() {
  const corner = i => { const a = Math.PI * i / 5, r = i % 2 ? 4 : 9; return `${(r * Math.sin(a)).toFixed(2)},${(-r * Math.cos(a)).toFixed(2)}`; };
  return svg("polygon", { points: Array.from({ length: 10 }, (_, i) => corner(i)).join(" "), class: "star" });
}

// Mounts the element at each place of that name that is still still. What stood there comes back if the script fails. JupyterLab has
// commands for most keys, and leaves them to a control that asks for them.
async function start(id, mount, packed) {
  const places = [...document.querySelectorAll(`[id="${id}"]:not([data-live])`)], twins = document.querySelectorAll(`[id="${id}"]`).length;
  places.forEach((place, i) => { place.dataset.live = ""; if (i < twins - 1) place.id += `-${Math.random().toString(36).slice(2, 8)}`; }); // all at once: another copy of this script may wait
  for (const place of places) {
    const still = [...place.childNodes];
    try {
      const data = await unpack(packed);
      place.replaceChildren();
      await mount(place, data, { html, svg, set, slider, player, choice, plane, star });
      for (const control of place.querySelectorAll("input, button, select, textarea, [tabindex]")) control.dataset.lmSuppressShortcuts = "true";
    } catch (fault) {
      place.replaceChildren(...still, html("p", { class: "fault" }, `This element cannot move here: ${fault.message}`));
      console.error(fault);
    }
  }
}
