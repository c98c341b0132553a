// Details of an image of which only an overview is here: asked of the host for the part that is in sight, when pixels
// of the overview have become larger than points of the screen.
import { photograph } from "./drawing.js";
import { clamp } from "./numbers.js";

const REST = 120;       // milliseconds for which nothing may move before something is asked for
const TILE = 64;        // pieces begin and end at multiples of so many of their pixels
const KEPT = 12;        // pieces

export class Detail {
  #host;
  #redraw;
  #pieces = new Map();
  #timer = null;
  #asked = "";            // what was asked for last

  constructor(host, redraw) {
    this.#host = host;
    this.#redraw = redraw;
  }

  // The sharpest piece that is here and shows something of what is in sight, or null; what is missing is asked for.
  of({ state, image }, view, dpr) {
    if (!image.detail || !this.#host.detail) return null;
    const wanted = inSight(image, view, dpr);
    if (!wanted) return null;
    const key = [state.image, wanted.step, ...wanted.rows, ...wanted.columns].join();
    if (!this.#pieces.has(key) && this.#asked !== key) this.#ask(key, state.image, wanted, image);
    const usable = [...this.#pieces.values()].filter(p => p.image === state.image && overlaps(p, wanted));
    return usable.sort((a, b) => covered(b, wanted) - covered(a, wanted) || a.step - b.step)[0] ?? null;
  }

  #ask(key, index, { rows, columns, step }, { detail: { factor } }) {
    clearTimeout(this.#timer);
    this.#asked = key;
    this.#timer = setTimeout(async () => {
      try {
        const { photograph: values, map, shape: [h, w] } = await this.#host.detail(index, rows, columns, step);
        const place = { x: columns[0] / factor, y: rows[0] / factor, size: step / factor };
        const shown = { map, h, w, photograph: photograph(values, h, w) };
        this.#keep(key, { key, image: index, rows, columns, step, ...place, ...shown });
        this.#redraw();
      } catch {
        // the overview stays in sight; what could not be read is asked for again when something else has been
      }
    }, REST);
  }

  #keep(key, piece) {
    this.#pieces.set(key, piece);
    for (const oldest of this.#pieces.keys()) if (this.#pieces.size > KEPT) this.#pieces.delete(oldest);
  }
}

// What is in sight, in pixels of the whole image, and how many of these make a pixel of the piece that would show it as
// sharply as the screen can; null where the overview does.
function inSight({ spatial, detail: { factor, spatial: [H, W] } }, view, dpr) {
  const step = 2 ** Math.max(0, Math.floor(Math.log2(factor / (Math.max(view.sx, view.sy) * dpr))));
  if (step >= factor) return null;
  const span = (corner, scale, room, n, whole) => {
    const grid = TILE * step, low = clamp(-corner / scale, 0, n), high = clamp((room - corner) / scale, 0, n);
    return [grid * Math.floor(low * factor / grid), Math.min(grid * Math.ceil(high * factor / grid), whole)];
  };
  const rows = span(view.y, view.sy, view.height, spatial[0], H);
  const columns = span(view.x, view.sx, view.width, spatial[1], W);
  return rows[0] < rows[1] && columns[0] < columns[1] ? { rows, columns, step } : null;
}

const shared = ([a, b], [c, d]) => Math.max(0, Math.min(b, d) - Math.max(a, c));
const covered = (piece, { rows, columns }) => shared(piece.rows, rows) * shared(piece.columns, columns);
const overlaps = (piece, wanted) => covered(piece, wanted) > 0;
