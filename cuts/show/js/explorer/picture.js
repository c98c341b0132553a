// The image with its regions, the selection, and the marks.
import { Detail } from "./detail.js";
import { shapeOf } from "./draft.js";
import { rgb, selectionColour, stroke } from "./drawing.js";
import { clamp } from "./numbers.js";
import { Overlay } from "./overlay.js";
import { Viewport } from "./viewport.js";

const BORDERS = 26;     // pixels below the picture: of the explorer and of the page
const NEGATIVE = "#ff5a5f";
const REGIONS = "rgba(255,255,255,.75)", RIM = "rgba(0,0,0,.9)";
const LOW = 240, HIGH = 0.75;   // the picture is at least so many pixels high, and at most this part of the window
const ABOVE = 160;      // pixels above the explorer on a page that still belong to it, such as a title
const BESIDE = 620;     // from this width on what explains the picture stands beside it, see style.css

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
    const { state, image, plane, view: { spatial, spacing, letters } } = this.session, { viewport: view } = this;
    view.fit(spatial, spacing, image.detail?.factor, this.#room());
    const dpr = devicePixelRatio || 1, context = this.#cleared(dpr);
    context.setTransform(view.sx * dpr, 0, 0, view.sy * dpr, view.x * dpr, view.y * dpr);
    context.imageSmoothingEnabled = view.sx * dpr < 1;
    context.drawImage(plane.photograph, 0, 0);
    const cells = view.cells(spatial, dpr), piece = this.detail.of(this.session, view, dpr);
    if (cells) this.#drawOverlay(context, cells, dpr);
    if (piece) this.#drawPiece(context, piece, dpr);
    context.setTransform(dpr, 0, 0, dpr, 0, 0);
    for (const mark of state.marks)
      if (mark.path && mark.image === state.image && mark.plane === state.plane && (mark.axis ?? 0) === state.axis)
        this.#drawMark(context, mark);
    this.#drawLetters(context, letters);
    if (this.draft) this.#drawMark(context, shapeOf(this.draft));
    if (this.cursor) this.#drawCursor(context);
  }

  // How high the picture may be, so that all of the explorer is in sight at once.
  #room() {
    const root = this.canvas.closest(".root"), most = Math.max(HIGH * innerHeight, LOW);
    if (root.clientWidth < BESIDE) return most;
    const picture = this.canvas.getBoundingClientRect(), whole = root.getBoundingClientRect();
    const top = whole.top + scrollY;
    const below = this.canvas.parentElement.getBoundingClientRect().bottom - picture.bottom;
    const others = picture.top - whole.top + below + BORDERS + (top >= 0 && top < ABOVE ? top : 0);
    return clamp(innerHeight - others, LOW, most);
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
    const light = rgb(selectionColour(this.session.image));
    if (layer.selected) stroke(context, [[RIM, 5 * line], [light, 2.5 * line]], layer.selected);
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

  // What lies on each side, from the top clockwise.
  #drawLetters(context, letters) {
    const { x, y, width, height, sx, sy } = this.viewport, [H, W] = this.session.view.spatial, far = 11;
    const left = Math.max(x, 0), right = Math.min(x + W * sx, width), top = Math.max(y, 0);
    const bottom = Math.min(y + H * sy, height), mx = (left + right) / 2, my = (top + bottom) / 2;
    const places = [[mx, top + far], [right - far, my], [mx, bottom - far], [left + far, my]];
    context.save();
    Object.assign(context, { font: "600 14px system-ui, sans-serif", textAlign: "center", textBaseline: "middle" });
    Object.assign(context, { lineJoin: "round", lineWidth: 4, strokeStyle: RIM, fillStyle: "#fff" });
    letters.forEach((letter, i) => {
      context.strokeText(letter, ...places[i]);
      context.fillText(letter, ...places[i]);
    });
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
