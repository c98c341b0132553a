// A warning to those who close a page whose marks are kept nowhere.

// A page that has other things to do when it is left asks first, by this event with the browser's own as its
// `detail`: listeners are called in their order, and that of Voilà, which ends the kernel, would be called before
// that of this page.
export const ASKED = "cuts:leave";

export class Leaving {
  #session;
  #host;
  #exported;              // the marks as they were written last, as JSON
  #isLeft = false;        // whether the end of the page is waited for

  constructor(session, host, signal) {
    this.#session = session;
    this.#host = host;
    this.#exported = JSON.stringify(host.written?.() ?? []);
    addEventListener("beforeunload", event => this.#warn(event), { signal });
    addEventListener(ASKED, event => this.#warn(event.detail), { signal });
  }

  get #marks() {
    return JSON.stringify(this.#session.state.marks);
  }

  // The marks are in a file now.
  exported() {
    this.#exported = this.#marks;
  }

  get isUnsaved() {
    return !!this.#host.unkept() && this.#session.state.marks.length > 0 && this.#marks !== this.#exported;
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
