// A warning to those who close a page whose marks are kept nowhere.

// A page that has other things to do when it is left asks first, by this event with the browser's own as its
// `detail`: listeners are called in their order, and that of Voilà, which ends the kernel, would be called before
// that of this page.
export const ASKED = "cuts:leave";

export class Leaving {
  #session;
  #host;
  #written;               // all marks as they were written last, as JSON
  #masks = new Map();     // by image, the marks that its mask was written with
  #isLeft = false;        // whether the end of the page is waited for

  constructor(session, host, signal) {
    this.#session = session;
    this.#host = host;
    this.#written = JSON.stringify(host.written?.() ?? []);
    addEventListener("beforeunload", event => this.#warn(event), { signal });
    addEventListener(ASKED, event => this.#warn(event.detail), { signal });
  }

  get #marks() {
    return JSON.stringify(this.#session.state.marks);
  }

  #own(image) {
    return JSON.stringify(this.#session.ownMarks(image));
  }

  // What is to be called when a file that is about to be written is there: it holds the marks as they are now.
  exporting(what) {
    const { image } = this.#session.state, all = this.#marks, own = this.#own(image);
    return () => {
      if (what === "mask") this.#masks.set(image, own);
      if (what === "masks" || what === "page") this.#written = all;
    };
  }

  get isUnsaved() {
    if (!this.#host.unkept() || this.#marks === this.#written) return false;
    return this.#session.state.marks.some(({ image }) => this.#masks.get(image) !== this.#own(image));
  }

  // Others hear of it when the page is gone, since somebody may stay.
  #warn(event) {
    if (!event.isTrusted || !this.isUnsaved) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (!this.#isLeft) addEventListener("pagehide", () => dispatchEvent(new Event("beforeunload")), { once: true });
    this.#isLeft = true;
  }
}
