// Mouse, pen and finger: on the image, the dots and the bars.
import { markOf } from "./draft.js";
import { clamp } from "./numbers.js";

const PRIMARY = 0, MIDDLE = 1;
const WHEEL = 200;      // turns of the wheel that make the image e times as large
const NEXT = 60;        // turns that bring the next answer
const SLICE = 40;       // turns that bring the next slice

export class Pointer {
  #dragged = null;        // while the image is moved: where the pointer and the image's corner were

  #turned = 0;

  constructor(explorer) {
    this.explorer = explorer;
  }

  get #view() {
    return this.explorer.picture.viewport;
  }

  get #session() {
    return this.explorer.session;
  }

  // `held`: beside the image the nearest pixel instead of none.
  #pixelAt(event, held = false) {
    return this.#view.pixelAt(event, this.explorer.session.view.spatial, held);
  }

  // Alt takes away, whichever button is pressed in the bar.
  #sign(event) {
    return event.altKey ? -1 : this.explorer.sign;
  }

  listen(on) {
    const { picture, embedding, barcode } = this.explorer, { canvas } = picture;
    on(canvas, "pointerdown", event => this.#press(event));
    on(canvas, "pointermove", event => this.#move(event));
    on(canvas, "pointerup", () => this.#release());
    on(canvas, "pointercancel", () => this.#cancel());
    on(canvas, "pointerleave", () => this.explorer.hover(undefined));
    on(canvas, "blur", () => this.explorer.moveCursor(null));
    on(canvas, "wheel", event => this.#turn(event), { passive: false });
    on(embedding.canvas, "pointermove", event => this.explorer.hover(embedding.landmarkAt(event)));
    on(embedding.canvas, "pointerleave", () => this.explorer.hover(undefined));
    on(embedding.canvas, "click", event => this.#markLandmark(event));
    on(barcode.svg, "click keydown", event => this.#markStructure(event));
  }

  #press(event) {
    const { explorer } = this, { canvas, viewport } = explorer.picture;
    if (!explorer.session.plane) return;
    const pixel = this.#pixelAt(event), moves = event.button === PRIMARY && event.shiftKey && viewport.zoom > 1;
    if (event.button === MIDDLE || moves) {
      this.#dragged = { pointer: [event.clientX, event.clientY], corner: [viewport.x, viewport.y] };
      canvas.setPointerCapture(event.pointerId);
      event.preventDefault();
    } else if (event.button === PRIMARY && pixel) {
      explorer.picture.draft = { path: [pixel], sign: this.#sign(event), tool: explorer.tool };
      canvas.setPointerCapture(event.pointerId);
      explorer.redraw();
    }
  }

  #move(event) {
    const { explorer } = this;
    if (!explorer.session.plane) return;
    if (this.#dragged) return this.#drag(event);
    const pixel = this.#pixelAt(event);
    if (explorer.picture.draft?.tool === "box") this.#stretch(explorer.picture.draft, this.#pixelAt(event, true));
    explorer.hover(pixel ? explorer.session.leafAt(pixel) : undefined);
    const { draft } = explorer.picture;
    if (!draft || !pixel || draft.tool === "box") return;
    const between = event.getCoalescedEvents?.().map(earlier => this.#pixelAt(earlier)).filter(Boolean) || [];
    for (const reached of [...between, pixel]) this.#extend(draft.path, reached);
  }

  #stretch(draft, pixel) {
    draft.path = [draft.path[0], pixel];
    this.explorer.redraw();
  }

  #drag(event) {
    const { pointer, corner } = this.#dragged;
    this.#view.x = corner[0] + event.clientX - pointer[0];
    this.#view.y = corner[1] + event.clientY - pointer[1];
    this.explorer.redraw();
  }

  // A line of pixels from the end of a stroke to where the pointer is now.
  #extend(path, [row, col]) {
    const [row0, col0] = path[path.length - 1], steps = Math.max(Math.abs(row - row0), Math.abs(col - col0));
    for (let i = 1; i <= steps; i++)
      path.push([Math.round(row0 + (row - row0) * i / steps), Math.round(col0 + (col - col0) * i / steps)]);
    if (steps) this.explorer.redraw();
  }

  #release() {
    const { picture } = this.explorer, { draft } = picture;
    this.#dragged = picture.draft = null;
    if (draft) this.#session.mark(markOf(draft, this.#session));
  }

  #cancel() {
    this.#dragged = this.explorer.picture.draft = null;
    this.explorer.redraw();
  }

  // The next answer with Alt, nearer or farther with Ctrl; without either the next slice, if there is one.
  #turn(event) {
    if (event.altKey && event.deltaY) return this.#turnOn(event);
    if (!event.ctrlKey && !event.metaKey) return this.#turnSlices(event);
    event.preventDefault();
    const box = this.explorer.picture.canvas.getBoundingClientRect();
    this.explorer.zoom(Math.exp(-event.deltaY / WHEEL), event.clientX - box.left, event.clientY - box.top);
  }

  #turnSlices(event) {
    const session = this.#session, { depth } = session.view, plane = session.wantedPlane;
    const can = event.deltaY > 0 ? plane < depth - 1 : plane > 0;
    if (!can || event.shiftKey || !event.deltaY) return;
    event.preventDefault();
    this.#turned += event.deltaMode ? SLICE * Math.sign(event.deltaY) : event.deltaY;
    const steps = Math.trunc(this.#turned / SLICE);
    if (!steps) return;
    this.#turned = 0;
    session.open(session.state.image, clamp(plane + Math.sign(steps), 0, depth - 1));
  }

  #turnOn(event) {
    event.preventDefault();
    this.#turned += event.deltaY;
    if (Math.abs(this.#turned) < NEXT) return;
    this.#session.grow(this.#turned < 0 ? 1 : -1);
    this.#turned = 0;
  }

  #markLandmark(event) {
    const { embedding, session } = this.explorer, landmark = embedding.landmarkAt(event);
    if (landmark === undefined) return;
    session.mark({ sign: this.#sign(event), level: session.markLevel, leaves: [[landmark, 1]] });
  }

  // A bar is clicked, or chosen by Enter or Space.
  #markStructure(event) {
    const node = event.target.dataset?.node, typed = event.type === "keydown";
    if (node === undefined || typed && event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    this.explorer.session.mark({ sign: this.#sign(event), node: +node, leaves: [] });
  }
}
