// The image with its regions, the selection, and the marks.
import { Detail } from "./detail.js";
import { shapeOf } from "./draft.js";
import { SELECTION, rgb, stroke } from "./drawing.js";
import { Overlay } from "./overlay.js";
import { Viewport } from "./viewport.js";

const NEGATIVE = "#ff5a5f";
const REGIONS = "rgba(255,255,255,.75)", RIM = "rgba(0,0,0,.8)";

export class Picture {
  cursor = null;          // the pixel that the keyboard is at
  draft = null;           // what is being drawn: { path, sign, tool }

  // `redraw` is called when details have arrived.
  constructor(session, canvas, host, redraw) {
    this.session = session;
    this.canvas = canvas;
    this.viewport = new Viewport(canvas);
    this.overlay = new Overlay();
    this.detail = new Detail(host, redraw);
  }

  draw() {
    const { state, image, plane } = this.session, { viewport: view } = this;
    view.fit(image.spatial, image.spacing.slice(-2), image.detail?.factor);
    const dpr = devicePixelRatio || 1, context = this.#cleared(dpr);
    context.setTransform(view.sx * dpr, 0, 0, view.sy * dpr, view.x * dpr, view.y * dpr);
    context.imageSmoothingEnabled = view.sx * dpr < 1;
    context.drawImage(plane.photograph, 0, 0);
    const cells = view.cells(image.spatial, dpr), piece = this.detail.of(this.session, view, dpr);
    if (cells) this.#drawOverlay(context, cells, dpr);
    if (piece) this.#drawPiece(context, piece, dpr);
    context.setTransform(dpr, 0, 0, dpr, 0, 0);
    for (const mark of state.marks)
      if (mark.path && mark.image === state.image && mark.plane === state.plane) this.#drawMark(context, mark);
    if (this.draft) this.#drawMark(context, shapeOf(this.draft));
    if (this.cursor) this.#drawCursor(context);
  }

  #cleared(dpr) {
    const { canvas } = this, context = canvas.getContext("2d");
    const width = Math.round(this.viewport.width * dpr), height = Math.round(this.viewport.height * dpr);
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    return context;
  }

  // A piece that shows details, over what the overview shows there.
  #drawPiece(context, piece, dpr) {
    const { viewport: view } = this, { x, y, size, h, w } = piece;
    context.setTransform(view.sx * dpr, 0, 0, view.sy * dpr, view.x * dpr, view.y * dpr);
    context.imageSmoothingEnabled = view.sx * size * dpr < 1;
    context.drawImage(piece.photograph, x, y, w * size, h * size);
    this.#drawOverlay(context, { x, y, w, h, fx: size, fy: size }, dpr, piece);
  }

  #drawOverlay(context, cells, dpr, piece = null) {
    const { sx, sy, x, y } = this.viewport, layer = this.overlay.of(this.session, cells, piece);
    const width = sx * cells.fx, height = sy * cells.fy, line = 1 / Math.sqrt(width * height);
    context.setTransform(width * dpr, 0, 0, height * dpr, (x + cells.x * sx) * dpr, (y + cells.y * sy) * dpr);
    context.drawImage(layer.fill, 0, 0);
    context.lineCap = "square";
    if (layer.regions) stroke(context, [[REGIONS, line]], layer.regions);
    if (layer.selected) stroke(context, [[RIM, 4 * line], [rgb(SELECTION), 2 * line]], layer.selected);
  }

  #drawMark(context, { path, sign, whole }) {
    const places = path.map(pixel => this.viewport.place(pixel));
    context.save();
    context.lineJoin = context.lineCap = "round";
    context.beginPath();
    if (places.length === 1) context.arc(...places[0], 4, 0, 7);
    else for (const place of places) context.lineTo(...place);
    if (whole) context.closePath();
    stroke(context, [["#000", 5], [sign > 0 ? "#fff" : NEGATIVE, 2.5]]);
    context.restore();
  }

  #drawCursor(context) {
    const [x, y] = this.viewport.place(this.cursor);
    context.beginPath();
    context.moveTo(x - 9, y);
    context.lineTo(x + 9, y);
    context.moveTo(x, y - 9);
    context.lineTo(x, y + 9);
    stroke(context, [["#000", 3], ["#fff", 1]]);
  }
}
