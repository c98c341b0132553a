// Which part of an image is in sight. Lengths are those of the page: a pixel of the image is `sx` × `sy` large, and its
// corner lies at (x, y) of the canvas.
import { clamp } from "./numbers.js";

const NEAREST = 40;  // the largest zoom, of an overview as many times more as it has fewer pixels

export class Viewport {
  #whole = {};            // as `this`, where all of the image is in the canvas
  #stale = true;
  zoom = 1;
  nearest = NEAREST;

  constructor(canvas) {
    this.canvas = canvas;
  }

  // From the next `fit` on, all of the image.
  reset() {
    this.#stale = true;
  }

  // Gives the canvas its height, at most `room`. Shows all of the image where it was reset; of another size of the
  // canvas the middle and the zoom stay.
  fit([H, W], [sy, sx], factor, room) {
    this.nearest = NEAREST * (factor ?? 1);
    const width = this.canvas.clientWidth || 300, ratio = sy / sx;
    const height = Math.min(Math.max(H * ratio * width / W, 60), room);
    this.canvas.style.height = `${height}px`;
    const s = Math.min(width / W, height / (H * ratio)), x = (width - s * W) / 2, y = (height - s * ratio * H) / 2;
    this.#whole = { sx: s, sy: s * ratio, x, y, width, height };
    if (this.#stale) Object.assign(this, this.#whole, { zoom: 1 });
    else if (width !== this.width || height !== this.height) this.#resize(this.#whole);
    this.#stale = false;
    this.#hold(H, W);
  }

  #resize({ sx, sy, width, height }) {
    const { zoom } = this, f = sx * zoom / this.sx, moved = (corner, from, to) => to / 2 - (from / 2 - corner) * f;
    const x = moved(this.x, this.width, width), y = moved(this.y, this.height, height);
    Object.assign(this, { sx: sx * zoom, sy: sy * zoom, x, y, width, height });
  }

  // The image stays in sight.
  #hold(H, W) {
    const held = (corner, size, room) => size <= room ? (room - size) / 2 : clamp(corner, room - size, 0);
    this.x = held(this.x, W * this.sx, this.width);
    this.y = held(this.y, H * this.sy, this.height);
  }

  // Nearer or farther, with one place of the canvas at rest: its middle where none is given.
  zoomBy(factor, x = this.#whole.width / 2, y = this.#whole.height / 2) {
    const zoom = clamp(this.zoom * factor, 1, this.nearest), f = zoom / this.zoom;
    const turned = { sx: this.sx * f, sy: this.sy * f, x: x - (x - this.x) * f, y: y - (y - this.y) * f };
    Object.assign(this, zoom === 1 ? this.#whole : turned, { zoom });
  }

  // The middle of a pixel on the canvas.
  place([row, col]) {
    return [(col + 0.5) * this.sx + this.x, (row + 0.5) * this.sy + this.y];
  }

  // Brings a pixel that is out of sight to the middle.
  show(pixel) {
    const [x, y] = this.place(pixel);
    if (x < 0 || x > this.width) this.x += this.width / 2 - x;
    if (y < 0 || y > this.height) this.y += this.height / 2 - y;
  }

  // The pixel under a pointer; beside the image null, or if `held` the nearest one.
  pixelAt(event, [H, W], held = false) {
    const box = this.canvas.getBoundingClientRect(), f = this.width / box.width;
    const col = Math.floor(((event.clientX - box.left) * f - this.x) / this.sx);
    const row = Math.floor(((event.clientY - box.top) * f - this.y) / this.sy);
    if (held) return [clamp(row, 0, H - 1), clamp(col, 0, W - 1)];
    return row >= 0 && col >= 0 && row < H && col < W ? [row, col] : null;
  }

  // The part in sight, in cells of `fy` × `fx` pixels, of which there are no more than points on the screen: its first
  // pixel (x, y), and its size h × w in cells. Null where nothing is in sight.
  cells([H, W], dpr) {
    const step = (s, n) => clamp(Math.floor(1 / (s * dpr)), 1, n);
    const fy = step(this.sy, H), fx = step(this.sx, W);
    const x = fx * Math.floor(clamp(-this.x / this.sx, 0, W) / fx);
    const y = fy * Math.floor(clamp(-this.y / this.sy, 0, H) / fy);
    const w = Math.ceil((clamp((this.width - this.x) / this.sx, 0, W) - x) / fx);
    const h = Math.ceil((clamp((this.height - this.y) / this.sy, 0, H) - y) / fy);
    return w < 1 || h < 1 ? null : { x, y, w, h, fx, fy };
  }
}
