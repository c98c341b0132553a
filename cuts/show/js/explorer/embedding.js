// The landmarks as dots, coloured as their regions; as large as their part of the image.
import { colourOf, rgb, selectionColour, stroke } from "./drawing.js";

const MARGIN = 24;
const NEAR = 12;        // how far beside a dot a pointer still means it
const NOWHERE = "#888"; // of landmarks in no persistent structure

export class Embedding {
  under = undefined;    // the landmark under the pointer, here or in the picture
  #spots = [];          // of each landmark [x, y, radius]

  constructor(session, canvas) {
    this.session = session;
    this.canvas = canvas;
  }

  draw(dark) {
    const { canvas } = this, { image } = this.session, coordinates = image.spread ? image.phate : image.coordinates;
    const width = canvas.clientWidth, height = canvas.clientHeight, dpr = devicePixelRatio || 1;
    if (!width || !coordinates) return;
    Object.assign(canvas, { width: width * dpr, height: height * dpr });
    const context = canvas.getContext("2d");
    context.setTransform(dpr, 0, 0, dpr, 0, 0);
    this.#spots = spots(coordinates, image, width, height);
    const rim = dark ? "#fff" : "#000";
    this.#drawDots(context, 0, rim);
    this.#drawDots(context, 1, rim);
    if (this.#spots[this.under]) this.#drawRing(context, rim);
  }

  // Either the dots that are selected or the others.
  #drawDots(context, selected, rim) {
    const { state, image, regions, selection } = this.session;
    const region = state.show === "persistent" ? image.persistent : regions;
    this.#spots.forEach((spot, i) => {
      if (selection.leaves[i] !== selected) return;
      circle(context, ...spot);
      context.globalAlpha = selection.any && !selected ? 0.35 : 0.9;
      context.fillStyle = region[i] < 0 ? NOWHERE : rgb(colourOf(image.colours, region[i] + 1));
      context.fill();
      context.globalAlpha = 1;
      if (selected) stroke(context, [[rim, 2.5], [rgb(selectionColour(image)), 1.2]]);
    });
  }

  #drawRing(context, rim) {
    const [x, y, radius] = this.#spots[this.under];
    circle(context, x, y, radius + 4);
    stroke(context, [[rim, 2]]);
  }

  // The landmark under a pointer.
  landmarkAt(event) {
    const box = this.canvas.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
    let nearest, least = NEAR;
    this.#spots.forEach(([spotX, spotY, radius], i) => {
      const distance = Math.max(Math.hypot(spotX - x, spotY - y) - radius, 0);
      if (distance >= least) return;
      least = distance;
      nearest = i;
    });
    return nearest;
  }
}

// Both axes to one scale, in the middle of the canvas.
function spots(coordinates, { counts, pixelCount }, width, height) {
  const indices = Array.from(counts.keys());
  const xs = indices.map(i => coordinates[2 * i]), ys = indices.map(i => coordinates[2 * i + 1]);
  const x0 = Math.min(...xs), x1 = Math.max(...xs), y0 = Math.min(...ys), y1 = Math.max(...ys);
  const scale = Math.min((width - MARGIN) / (x1 - x0 || 1), (height - MARGIN) / (y1 - y0 || 1));
  return indices.map(i => [
    width / 2 + scale * (xs[i] - (x0 + x1) / 2),
    height / 2 - scale * (ys[i] - (y0 + y1) / 2),
    Math.max(1.5, Math.sqrt(counts[i] / pixelCount * width * height * 0.12)),
  ]);
}

function circle(context, x, y, radius) {
  context.beginPath();
  context.arc(x, y, radius, 0, 7);
}
