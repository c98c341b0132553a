// What a network makes of one image, epoch after epoch.
// data: pictures { name: bytes of a JPEG [T·side, side] with one frame below the other }, side,
//   curves { name: [T − 1] } of epochs 1, 2, …

// A picture that shows one frame of a strip.
async function makeFilm(name, bytes, side, html) {
  const canvas = html("canvas", { width: side, height: side, role: "img", "aria-label": name,
    style: "width: 100%; image-rendering: pixelated" });
  const strip = await createImageBitmap(new Blob([bytes], { type: "image/jpeg" }));
  function show(epoch) {
    const top = epoch * side < strip.height ? epoch * side : 0;
    canvas.getContext("2d").drawImage(strip, 0, top, side, side, 0, 0, side, side);
  }
  return { node: html("div", {}, html("h4", {}, name), canvas), show };
}

// A curve over the epochs, with a dot at one of them.
function makeGraph(name, values, { html, svg, set }) {
  const W = 330, H = 120, left = 8, right = 8, last = values.length, high = 1.05 * Math.max(...values);
  const x = epoch => left + (W - left - right) * epoch / last, y = value => 8 + (H - 30) * (1 - value / high);
  const points = Array.from(values, (value, e) => `${x(e + 1).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
  const dot = svg("circle", { r: 4, fill: "var(--orange)" }), title = html("h4", {});
  const axis = svg("path", { d: `M${left} 4V${y(0)}H${W - right}`, fill: "none", stroke: "var(--line)" });
  const line = svg("polyline", { points, fill: "none", stroke: "var(--blue)", "stroke-width": 2 });
  const ends = [svg("text", { x: x(0), y: H - 4, "text-anchor": "start" }, "0"),
    svg("text", { x: x(last), y: H - 4, "text-anchor": "end" }, `epoch ${last}`)];
  const box = { viewBox: `0 0 ${W} ${H}`, width: "100%", role: "img", "aria-label": `${name} while training` };
  function show(epoch) {
    set(dot, epoch ? { cx: x(epoch), cy: y(values[epoch - 1]), opacity: 1 } : { opacity: 0 });
    title.textContent = epoch ? `${name}: ${values[epoch - 1].toPrecision(3)}` : name;
  }
  return { node: html("div", {}, title, svg("svg", box, axis, line, ...ends, dot)), show };
}

export async function mount(el, data, tools) {
  const { html, player } = tools, { pictures, curves, side } = data, last = Object.values(curves)[0].length;
  const films = await Promise.all(Object.entries(pictures).map(([name, bytes]) => makeFilm(name, bytes, side, html)));
  const graphs = Object.entries(curves).map(([name, values]) => makeGraph(name, values, tools));
  const show = epoch => [...films, ...graphs].forEach(part => part.show(epoch));
  const words = epoch => epoch ? String(epoch) : "untrained";
  const grid = "display: grid; gap: .6rem; grid-template-columns: repeat(auto-fit, minmax(100px, 1fr))";
  el.append(player({ label: "epoch", min: 0, max: last, rate: 3, show: words, change: show }),
    html("div", { style: grid }, ...films.map(film => film.node)),
    html("div", { class: "row" }, ...graphs.map(graph => graph.node)));
  show(0);
}
