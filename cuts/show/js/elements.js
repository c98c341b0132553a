// What the live elements of the pages have in common. cuts.show.elements puts this text, in a block of its own, behind
// the script of an element and calls `start`; nothing here is exported, so that no name can collide.

// Data ----------------------------------------------------------------------------------------------------------------
// Numbers come as JSON, arrays as base64 of deflated little-endian bytes.
const KINDS = { uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array, int32: Int32Array, float32: Float32Array };

async function unpack(x) {
  if (Array.isArray(x)) return Promise.all(x.map(unpack));
  if (x === null || typeof x !== "object") return x;
  if ("$array" in x) return unpackArray(x);
  const entries = Object.entries(x).map(async ([name, value]) => [name, await unpack(value)]);
  return Object.fromEntries(await Promise.all(entries));
}

async function unpackArray({ $array, dtype, shape }) {
  const bytes = Uint8Array.from(atob($array), c => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return Object.assign(new KINDS[dtype](await new Response(stream).arrayBuffer()), { shape });
}

// Parts ---------------------------------------------------------------------------------------------------------------
// Nodes, and controls that a keyboard reaches and a screen reader names.
function make(space, tag, attributes, children) {
  const node = document.createElementNS(space, tag);
  for (const [name, value] of Object.entries(attributes ?? {}))
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== false && value != null) node.setAttribute(name, value === true ? "" : value);
  node.append(...children);
  return node;
}
const html = (tag, attributes, ...children) => make("http://www.w3.org/1999/xhtml", tag, attributes, children);
const svg = (tag, attributes, ...children) => make("http://www.w3.org/2000/svg", tag, attributes, children);

// Sets many attributes of a node at once.
function set(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

// A range with its name and its value in words. `show(number)` returns the words, `change(number)` is called when it
// moves.
function slider({ label, min = 0, max, step = 1, value = min, show = String, change = () => {} }) {
  const words = html("output"), input = html("input", { type: "range", min, max, step, value });
  const box = html("label", { class: "slider" }, html("span", {}, label), input, words);
  const tell = () => {
    words.textContent = show(+input.value);
    input.setAttribute("aria-valuetext", words.textContent);
  };
  const moved = () => {
    tell();
    change(+input.value);
  };
  input.addEventListener("input", moved);
  tell();
  const setValue = number => {
    input.value = number;
    moved();
  };
  return Object.assign(box, { get: () => +input.value, set: setValue });
}

// A slider with a button that moves it. Those who asked for less motion get steps of a second in place of a film.
function player({ rate = 20, ...settings }) {
  const line = slider(settings), button = html("button", { type: "button", onclick: () => play(timer === null) });
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  let timer = null;
  function play(on) {
    clearTimeout(timer);
    timer = null;
    button.textContent = on ? "❚❚" : "▶";
    button.setAttribute("aria-label", on ? "pause" : "play");
    if (!on) return;
    if (line.get() >= settings.max) line.set(settings.min ?? 0);
    const stride = calm.matches ? Math.ceil(settings.max / 12) : 1;
    const next = () => {
      if (!line.isConnected || line.get() >= settings.max) return play(false);
      line.set(line.get() + stride);
      timer = setTimeout(next, calm.matches ? 1000 : 1000 / rate);
    };
    timer = setTimeout(next, 0);
  }
  play(false);
  line.addEventListener("pointerdown", () => play(false));
  return Object.assign(html("div", { class: "player" }, button, line), { get: line.get, set: line.set, play });
}

// A choice of one of a few, as radio buttons. `options` are [value, name] pairs.
function choice({ label, options, value, change = () => {} }) {
  const group = "cuts-" + Math.random().toString(36).slice(2);
  const button = ([option, words]) => {
    const checked = option === value, onchange = () => change(option);
    return html("label", {}, html("input", { type: "radio", name: group, value: option, checked, onchange }), words);
  };
  return html("fieldset", { class: "choice" }, html("legend", {}, label), ...options.map(button));
}

// Drawings ------------------------------------------------------------------------------------------------------------
// Where a click lies, in the units of an SVG's view box.
function pointIn(node, event) {
  return new DOMPoint(event.clientX, event.clientY).matrixTransform(node.getScreenCTM().inverse());
}

// Points of the plane as dots, the second axis upwards, both to one scale. `bounds` is [x0, y0, x1, y1]; `pick(i)` is
// called with the dot that a click is nearest to; what is drawn under the dots goes into `under`.
function plane(points, { bounds, label = "", width = 340, pad = 12, r = 4, pick } = {}) {
  const n = points.length / 2, [x0, y0, x1, y1] = bounds ?? boundsOf(points);
  const scale = (width - 2 * pad) / (x1 - x0), height = (y1 - y0) * scale + 2 * pad;
  const to = (x, y) => [(x - x0) * scale + pad, (y1 - y) * scale + pad];
  const dots = Array.from({ length: n }, () => svg("circle", { r })), under = svg("g"), over = svg("g");
  const box = { viewBox: `0 0 ${width} ${height.toFixed(1)}`, width: "100%", role: "img", "aria-label": label };
  const node = svg("svg", box, under, svg("g", {}, ...dots), over);
  const place = (positions, offset = 0) => dots.forEach((dot, i) => {
    const [x, y] = to(positions[offset + 2 * i], positions[offset + 2 * i + 1]);
    set(dot, { cx: x.toFixed(1), cy: y.toFixed(1) });
  });
  place(points);
  if (pick) {
    node.style.cursor = "pointer";
    node.addEventListener("click", event => pick(nearest(dots, pointIn(node, event))));
  }
  return { node, dots, under, over, place, to };
}

function boundsOf(points) {
  const xs = Array.from(points).filter((_, i) => i % 2 === 0), ys = Array.from(points).filter((_, i) => i % 2);
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}

function nearest(dots, { x, y }) {
  const distances = dots.map(dot => (dot.getAttribute("cx") - x) ** 2 + (dot.getAttribute("cy") - y) ** 2);
  return distances.indexOf(Math.min(...distances));
}

// A five-pointed star, white with a rim, to mark one dot.
function star() {
  const corner = i => {
    const angle = Math.PI * i / 5, radius = i % 2 ? 4 : 9;
    return `${(radius * Math.sin(angle)).toFixed(2)},${(-radius * Math.cos(angle)).toFixed(2)}`;
  };
  return svg("polygon", { points: Array.from({ length: 10 }, (_, i) => corner(i)).join(" "), class: "star" });
}

// Mounting ------------------------------------------------------------------------------------------------------------
// The places of that name that no script has filled yet. Each but the last gets a name of its own, and all at once,
// since another copy of this script may wait.
function claimPlaces(id) {
  const twins = [...document.querySelectorAll(`[id="${id}"]`)];
  const places = twins.filter(place => !("live" in place.dataset));
  places.forEach((place, i) => {
    place.dataset.live = "";
    if (i < twins.length - 1) place.id += `-${Math.random().toString(36).slice(2, 8)}`;
  });
  return places;
}

// JupyterLab has commands for most keys, and leaves them to a control that asks for them.
function keepKeys(place) {
  for (const control of place.querySelectorAll("input, button, select, textarea, [tabindex]"))
    control.dataset.lmSuppressShortcuts = "true";
}

// Mounts the element at each of its places. What stood there comes back if the script fails.
async function start(id, mount, packed) {
  for (const place of claimPlaces(id)) {
    const still = [...place.childNodes];
    try {
      const data = await unpack(packed);
      place.replaceChildren();
      await mount(place, data, { html, svg, set, slider, player, choice, plane, star, pointIn });
      keepKeys(place);
    } catch (fault) {
      place.replaceChildren(...still, html("p", { class: "fault" }, `This element cannot move here: ${fault.message}`));
      console.error(fault);
    }
  }
}
