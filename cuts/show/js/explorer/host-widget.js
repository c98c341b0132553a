// The host of a notebook's widget: a kernel hands over each image when it is asked for, and writes the files.

import { ASKED } from "./leaving.js";

const PATIENCE = 120_000;           // milliseconds; PHATE and files may take longer
const PAUSE = 60;                   // milliseconds of rest before the kernel is told a new state
const KINDS = { uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array, int32: Int32Array, float32: Float32Array };

// Data as Python's `to_buffers` made them, with the arrays in their places.
function restore(data, buffers) {
  if (Array.isArray(data)) return data.map(entry => restore(entry, buffers));
  if (!data || typeof data !== "object") return data;
  if (!("$buffer" in data))
    return Object.fromEntries(Object.entries(data).map(([name, value]) => [name, restore(value, buffers)]));
  const { buffer, byteOffset, byteLength } = buffers[data.$buffer];
  const values = new KINDS[data.dtype](buffer.slice(byteOffset, byteOffset + byteLength));
  return Object.assign(values, { shape: data.shape });
}

// Questions to the kernel. Each view of a widget knows its own answers.
class Kernel {
  #model;
  #waiting = new Map();
  #view = Math.random().toString(36).slice(2);
  #count = 0;

  constructor(model) {
    this.#model = model;
    model.on("msg:custom", this.#answer);
  }

  #answer = (message, buffers) => {
    const { resolve, reject } = this.#waiting.get(message.id) || {};
    if (!resolve) return;
    this.#waiting.delete(message.id);
    if (message.error) return reject(new Error(message.error));
    try {
      resolve(restore(message.data, buffers || []));
    } catch (error) {
      reject(error);
    }
  };

  ask(what, more = {}) {
    const id = `${this.#view}-${++this.#count}`, waiting = this.#waiting;
    return new Promise((resolve, reject) => {
      const fail = error => { if (waiting.delete(id)) reject(error); };
      waiting.set(id, { resolve, reject });
      try {
        this.#model.send({ id, what, ...more });
      } catch (error) {
        return fail(error);
      }
      if (what !== "phate" && what !== "export")
        setTimeout(() => fail(new Error("The kernel does not answer. Run the cell again.")), PATIENCE);
    });
  }

  close() {
    this.#model.off("msg:custom", this.#answer);
  }
}

export class WidgetHost {
  pages = true;
  #model;
  #kernel;
  #palette;
  #timer = null;
  #pending = null;        // the state that the kernel is told when the timer ends
  #last = null;           // the last state of this page, until it is left
  #sent;                  // the state that the kernel has, as JSON

  constructor(model) {
    const bytes = model.get("palette");                   // a DataView
    this.#model = model;
    this.#kernel = new Kernel(model);
    this.#palette = new Uint8Array(bytes.buffer ?? bytes, bytes.byteOffset ?? 0, bytes.byteLength);
    this.#sent = JSON.stringify(this.state());
    this.names = model.get("names");
    this.formats = model.get("formats");
    this.phate = model.get("has_phate") ? image => this.#kernel.ask("phate", { image }) : null;
  }

  // Why marks are lost when the page is closed; empty where they stay.
  unkept() {
    return this.#model.get("unkept");
  }

  // The images that could not be shown, and why.
  skipped() {
    return this.#model.get("skipped");
  }

  state() {
    return this.#model.get("state");
  }

  async image(image) {
    return { ...await this.#kernel.ask("image", { image }), palette: this.#palette };
  }

  plane(image, plane, axis) {
    return this.#kernel.ask("plane", { image, plane, axis });
  }

  // What is left of the selection in a volume: its pixels in a plane, and its measures.
  cleaned({ state }, place) {
    return this.#kernel.ask("cleaned", { ...place, state });
  }

  // A part of a large image in detail: rows and columns of the whole, of which `step` make one of its pixels.
  detail(image, rows, columns, step) {
    return this.#kernel.ask("detail", { image, rows, columns, step });
  }

  network() {
    return this.#kernel.ask("network");
  }

  store(state) {
    clearTimeout(this.#timer);
    this.#pending = this.#last = state;
    this.#timer = setTimeout(() => this.#tell(), PAUSE);
  }

  // Tells the kernel now what it is not told yet.
  #tell() {
    clearTimeout(this.#timer);
    if (!this.#pending) return;
    this.#sent = JSON.stringify(this.#pending);
    this.#pending = null;
    this.#model.set("state", JSON.parse(this.#sent));
    this.#model.save_changes();
  }

  // What is told waits until the kernel has answered to what it was told before. A page that ends its kernel when it is
  // left can't wait for that; elsewhere the kernel goes on, and may know better by then.
  #leave() {
    const state = this.#last;
    if (!state) return;
    this.#tell();
    this.#last = null;
    this.#kernel.ask("state", { state }).catch(() => {});   // it is gone by then
  }

  async export({ session: { state } }, what, format) {
    clearTimeout(this.#timer);
    this.#pending = null;
    this.#sent = JSON.stringify(state);
    return (await this.#kernel.ask("export", { kind: what, format, state })).text;
  }

  // Shows what Python sets from now on, and says when marks cannot be kept; a function that ends this, and the host.
  follow(explorer) {
    const show = () => this.#show(explorer.session), told = () => explorer.say(this.unkept(), true);
    const leave = () => this.#leave(), tell = () => this.#tell();
    this.#model.on("change:state", show);
    this.#model.on("change:unkept", told);
    addEventListener(ASKED, leave);                         // after it Voilà ends its kernel
    addEventListener("beforeunload", tell);
    return () => {
      removeEventListener(ASKED, leave);
      removeEventListener("beforeunload", tell);
      this.#kernel.close();
      this.#model.off("change:state", show);
      this.#model.off("change:unkept", told);
    };
  }

  #show(session) {
    const text = JSON.stringify(this.state());
    if (text === this.#sent) return;
    this.#sent = text;
    const { image, plane, ...rest } = JSON.parse(text), { state } = session;
    const moved = image !== state.image || plane !== null && plane !== state.plane;
    Object.assign(state, rest);
    const missing = rest.marks.some(mark => !session.images.loaded[mark.image]);
    if (moved || missing || !session.plane) session.open(image, plane);
    else session.update();
  }
}
