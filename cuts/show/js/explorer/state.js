// What is shown and marked, which page and Python share, and its history.

export const START = {
  image: 0, axis: 0, plane: null, level: null, show: "level", marks: [], auto: true, connected: false, crumbs: false,
  opacity: 0.5, outlines: true,
};

// What `show` can be for an image, with the words for it.
export function overlays(image) {
  const kinds = { level: "regions", persistent: "lasting structures" };
  if (image.kmeans) kinds.kmeans = "k-means groups";
  if (image.truth) kinds.truth = "known labels";
  return { ...kinds, probability: "how likely", nothing: "nothing" };
}

// What decides which pixels are selected.
export function meaningOf({ marks, auto, connected, crumbs }) {
  return [marks.map(({ level, ...mark }) => auto && !mark.region ? mark : { ...mark, level }), auto, connected, crumbs];
}

// What can be undone, as it is now.
function snapshot({ marks, auto, connected, crumbs, level, image }) {
  return { marks: marks.map(mark => ({ ...mark })), auto, connected, crumbs, level, image };
}

export class History {
  #state;
  #past = [];
  #future = [];

  constructor(state) {
    this.#state = state;
  }

  get canUndo() {
    return this.#past.length > 0;
  }

  get canRedo() {
    return this.#future.length > 0;
  }

  // To be called before a change.
  record() {
    this.#past.push(snapshot(this.#state));
    this.#future.length = 0;
  }

  undo() {
    return this.#step(this.#past, this.#future);
  }

  redo() {
    return this.#step(this.#future, this.#past);
  }

  // Changes the state, but for the image that is shown. Returns the image in which the change had been made, or null.
  #step(from, to) {
    if (!from.length) return null;
    const { image, ...rest } = from.pop();
    to.push({ ...snapshot(this.#state), image });
    Object.assign(this.#state, rest);
    return image;
  }
}
