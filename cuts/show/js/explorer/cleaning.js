// What is left of a selection in a volume without crumbs, or without what does not hang together with the marks. The
// page knows one plane, so the host tells it; that takes a while, and until then the selection is shown as a whole.
import { isCleaned } from "./selection.js";
import { meaningOf } from "./state.js";
import { isVolume } from "./views.js";

export class Cleaning {
  #session;
  #host;
  #last = null;           // the host's last answer, with `key`, what it was asked for
  #isAsking = false;

  constructor(session, host) {
    this.#session = session;
    this.#host = host;
  }

  // Whether pieces of the selection may be left out in a volume.
  concerns(index) {
    const { images: { loaded }, state } = this.#session, image = loaded[index];
    return image && isVolume(image) && isCleaned(state, image) && this.#session.ownMarks(index).length > 0;
  }

  #keyOf({ image, plane, axis }) {
    return JSON.stringify([image, plane, axis, meaningOf(this.#session.state)]);
  }

  // Asks for what is left in a plane, and keeps the answer.
  async ask(place) {
    if (!this.concerns(place.image)) return;
    const key = this.#keyOf(place);
    if (this.#last?.key !== key) this.#last = { key, ...await this.#host.cleaned(this.#session, place) };
  }

  // How many pixels of each leaf of an image are selected, where that is not all or none of them; else null.
  async partsOfLeaves(image) {
    if (!this.concerns(image)) return null;
    return (await this.#host.cleaned(this.#session, { image, plane: 0, axis: 0 })).inside;
  }

  // Puts the answer into the selection. Where it is not here, asks for it, and says when it is.
  async show(selection, { image, plane, axis }, arrived, failed) {
    if (!selection.any || !this.concerns(image)) return;
    if (this.#last?.key === this.#keyOf({ image, plane, axis }))
      return void Object.assign(selection, { mask: this.#last.mask, whole: this.#last });
    if (this.#isAsking) return;
    this.#isAsking = true;
    try {
      await this.ask({ image, plane, axis });
    } catch (error) {
      return failed(error);
    } finally {
      this.#isAsking = false;
    }
    arrived();
  }
}
