// What a network makes of one image, epoch after epoch.
// data: pictures { name: bytes of a JPEG [T·side, side] with one frame below the other }, side, curves { name: [T − 1] } of epochs 1, 2, …

export async function mount(el, data, { html, svg, set, player }) {
  const { side, curves } = data, T = Object.values(curves)[0].length + 1;
  const films = await Promise.all(Object.entries(data.pictures).map(async ([name, bytes]) => {
    const canvas = html("canvas", { width: side, height: side, role: "img", "aria-label": name, style: "width: 100%; image-rendering: pixelated" });
    return { name, canvas, strip: await createImageBitmap(new Blob([bytes], { type: "image/jpeg" })) };
  }));

  const W = 330, H = 120, left = 8, right = 8, x = e => left + (W - left - right) * e / (T - 1);
  const graphs = Object.entries(curves).map(([name, values], k) => {
    const high = 1.05 * Math.max(...values), y = v => 8 + (H - 30) * (1 - v / high);
    const line = Array.from(values, (v, e) => `${x(e + 1).toFixed(1)},${y(v).toFixed(1)}`).join(" ");
    const dot = svg("circle", { r: 4, fill: "var(--orange)" }), said = html("h4", {});
    const node = svg("svg", { viewBox: `0 0 ${W} ${H}`, width: "100%", role: "img", "aria-label": `${name} while training` },
      svg("path", { d: `M${left} 4V${y(0)}H${W - right}`, fill: "none", stroke: "var(--line)" }), svg("polyline", { points: line, fill: "none", stroke: "var(--blue)", "stroke-width": 2 }),
      ...[0, T - 1].map(e => svg("text", { x: x(e), y: H - 4, "text-anchor": e ? "end" : "start" }, e ? `epoch ${e}` : "0")), dot);
    return { name, values, y, dot, said, node };
  });

  const film = player({ label: "epoch", min: 0, max: T - 1, rate: 3, show: v => v ? String(v) : "untrained", change: show });
  function show(e) {
    for (const { canvas, strip } of films) canvas.getContext("2d").drawImage(strip, 0, e * side < strip.height ? e * side : 0, side, side, 0, 0, side, side);
    for (const { name, values, y, dot, said } of graphs) {
      set(dot, e ? { cx: x(e), cy: y(values[e - 1]), opacity: 1 } : { opacity: 0 });
      said.textContent = e ? `${name}: ${values[e - 1].toPrecision(3)}` : name;
    }
  }
  el.append(film, html("div", { style: "display: grid; gap: .6rem; grid-template-columns: repeat(auto-fit, minmax(100px, 1fr))" }, ...films.map(f => html("div", {}, html("h4", {}, f.name), f.canvas))),
    html("div", { class: "row" }, ...graphs.map(g => html("div", {}, g.said, g.node))));
  show(0);
}
