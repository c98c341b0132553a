// The explorer of a segmentation: the parts of the page around one session.
//
// A host (host-page.js, host-widget.js) hands over the data. It has `names` of the images, `formats` of files,
// `pages` (whether it can write a page), `state()` and `store(state)`, `unkept()` (why marks are lost with the page;
// empty where they are not) and `written()` (marks that are in a file already), `skipped()` (the reasons why images
// are not shown, by name), and these, which may return promises: `image(index)`, `plane(index, z, axis)`,
// `cleaned(session, { image, plane, axis })` (what is left of a selection in a volume), `phate(index)` (null where
// there is none), `detail(index, rows, columns, step)` of large images, and `export(explorer, what, format)`, the
// words to say. A host may lack `written`, `skipped` and `detail`.
import { Barcode } from "./barcode.js";
import { Controls } from "./controls.js";
import { Embedding } from "./embedding.js";
import { handleKey } from "./keyboard.js";
import { Leaving } from "./leaving.js";
import { Picture } from "./picture.js";
import { Pointer } from "./pointer.js";
import { Session } from "./session.js";
import { describe, explain } from "./status.js";
import { Strip } from "./strip.js";
import style from "./style.css";
import template from "./template.html";
import { isDark, watchTheme } from "./theme.js";

export class Explorer {
  sign = 1;               // of the next mark
  tool = "brush";         // or "box", "lasso", that it is made with
  drawing = false;        // whether something is about to be drawn
  #ended = new AbortController();

  constructor(element, host) {
    this.element = Object.assign(element, { explorer: this });
    this.host = host;
    this.session = new Session(host, {
      opened: (...what) => this.#opened(...what),
      changed: () => this.#changed(),
      failed: error => this.say(explain(error), true),
    });
    this.root = attach(element);
    const { session, root } = this, find = selector => root.querySelector(selector);
    this.controls = new Controls(this, root);
    this.picture = new Picture(session, find(".picture"), host, () => this.redraw());
    this.embedding = new Embedding(session, find(".embedding"));
    this.barcode = new Barcode(session, find(".barcode"));
    this.strip = new Strip(session, find(".strip"));
    this.leaving = new Leaving(session, host, this.#ended.signal);
    this.controls.offer(host);
    this.#listen();
    this.strip.fill(host.names, this.#ended.signal);
    session.open(session.state.image);
  }

  #listen() {
    const { signal } = this.#ended, { root } = this;
    const on = (target, kinds, listener, options = {}) => {
      for (const kind of kinds.split(" ")) target.addEventListener(kind, listener, { signal, ...options });
    };
    this.controls.listen(root, on);
    new Pointer(this).listen(on);
    on(root, "keydown", event => handleKey(this, event));
    const look = () => this.#look(), sizes = new ResizeObserver(() => { look(); this.redraw(); });
    sizes.observe(root);
    signal.addEventListener("abort", () => sizes.disconnect());
    watchTheme(look, signal);
  }

  destroy() {
    this.#ended.abort();
  }

  get dark() {
    return this.root.classList.contains("dark");
  }

  #look() {
    const { dark } = this;
    if (this.root.classList.toggle("dark", isDark(this.element)) !== dark) this.redraw();
  }

  #opened(image, isOther, isTurned) {
    if (isTurned) this.picture.viewport.reset();
    if (isOther) this.sign = 1;           // to subtract is meant for one image
    this.controls.fill(image);
    this.barcode.layOut(image);
    this.strip.select(this.session.state.image);
  }

  #changed() {
    this.picture.overlay.forget();
    this.controls.refresh();
    this.strip.show(this.session.state.marks);
    this.redraw();
    this.say();
  }

  // Everything, at the next frame.
  redraw() {
    if (!this.session.plane || this.drawing) return;
    this.drawing = true;
    const asked = performance.now();
    requestAnimationFrame(() => {
      this.drawing = false;
      if (this.#ended.signal.aborted) return;
      this.picture.draw();
      this.embedding.draw(this.dark);
      this.barcode.draw();
      this.element.dispatchEvent(new CustomEvent("drawn", { detail: { ms: performance.now() - asked } }));
    });
  }

  // What is selected, and a message below it.
  say(message = "", isWrong = false) {
    const box = this.root.querySelector(".where");
    box.hidden = !message;
    box.textContent = message;
    box.classList.toggle("bad", isWrong);
    if (this.session.image) this.root.querySelector(".status").textContent = describe(this.session);
  }

  // Has files written, and says where they are.
  async export(what, format) {
    const written = this.leaving.exporting(what);
    this.say(await this.host.export(this, what, format));
    written();
  }

  // The leaf under the pointer, undefined for none.
  hover(leaf) {
    if (leaf === this.embedding.under) return;
    this.embedding.under = leaf;
    this.redraw();
  }

  // To a pixel, which comes in sight and is told; null takes the cursor away.
  moveCursor(pixel) {
    if (!pixel && !this.picture.cursor) return;
    this.picture.cursor = pixel;
    this.redraw();
    if (!pixel) return;
    const leaf = this.session.leafAt(pixel), [row, col] = pixel;
    this.picture.viewport.show(pixel);
    this.hover(leaf);
    this.say(`Row ${row}, column ${col}: region ${this.session.regions[leaf] + 1}.`);
  }

  zoom(factor, x, y) {
    this.picture.viewport.zoomBy(factor, x, y);
    this.redraw();
  }

  // No change of what is selected or said.
  setOpacity(opacity) {
    this.session.state.opacity = opacity;
    this.session.store();
    this.picture.overlay.forget();
    this.redraw();
  }

  // Takes a tool, or the brush if it is at hand already.
  setTool(tool) {
    this.tool = this.tool === tool ? "brush" : tool;
    this.controls.refresh();
  }

  setSign(sign) {
    this.sign = sign;
    this.controls.refresh();
  }
}

// A shadow, so that neither the page's style nor ours gets in the other's way.
function attach(element) {
  element.dataset.lmSuppressShortcuts = "true";           // JupyterLab sees no keys that are pressed in here
  Object.assign(element.style, { maxWidth: "1100px", marginInline: "auto" });
  const shadow = element.shadowRoot || element.attachShadow({ mode: "open" });
  shadow.innerHTML = `<style>${style}</style>${template}`;
  return shadow.querySelector(".root");
}
