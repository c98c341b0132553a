// A warning to those who close a page whose marks are kept nowhere.

export class Leaving {
  #session;
  #host;
  #exported = "[]";       // the marks as they were written last, as JSON
  #isLeft = false;        // whether the end of the page is waited for

  constructor(session, host, signal) {
    this.#session = session;
    this.#host = host;
    this.exported();
    addEventListener("beforeunload", event => this.#warn(event), { capture: true, signal });
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

  // Others must not hear of it yet: Voilà would end the kernel of a page on which somebody stays. They hear of it when
  // the page is gone.
  #warn(event) {
    if (!event.isTrusted || !this.isUnsaved) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (!this.#isLeft) addEventListener("pagehide", () => dispatchEvent(new Event("beforeunload")), { once: true });
    this.#isLeft = true;
  }
}
