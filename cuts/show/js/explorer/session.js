// What is looked at and what is meant: the images that a host hands over, the state, and what follows from both.
import { Cleaning } from "./cleaning.js";
import { Images } from "./images.js";
import { likelihood, nextAnswer } from "./marks.js";
import { clamp } from "./numbers.js";
import { Selector } from "./selection.js";
import { History, START, overlays } from "./state.js";

export class Session {
  image = null;           // what is looked at (see Images), null until it has arrived
  plane = null;
  view = null;            // how the image is cut into planes, see views.js
  regions = null;         // the region of each leaf at this level
  selection = null;       // leaves: ones and zeros; mask: pixels, where these are not all of the leaves', or null; any;
                          // whole: the measures of a volume of which pieces were left out, see `Cleaning`
  #host;
  #told;
  #selector = new Selector();
  #wanted = null;         // the image and plane that were asked for and are not here yet

  // `told` has functions: `opened(image, isOther, isTurned)`, `changed()` and `failed(error)`.
  constructor(host, told) {
    this.#host = host;
    this.#told = told;
    this.state = { ...START, ...host.state() };
    this.history = new History(this.state);
    this.images = new Images(host);
    this.cleaning = new Cleaning(this, host);
  }

  // Looks at an image, and at a plane of it across an axis: the one that was looked at, or the middle one, where none
  // is given.
  async open(index, plane = null, axis = this.state.axis) {
    const wanted = this.#wanted = { index, plane, axis };
    try {
      const marked = this.state.marks.map(mark => mark.image);     // marks of others may mean something here
      const [image] = await Promise.all([index, ...marked].map(i => this.images.image(i)));
      if (wanted !== this.#wanted) return;                         // something else was asked for meanwhile
      const view = image.views[axis] ?? image.views[0], isSame = this.image === image && this.view === view;
      const usual = (isSame || !this.image ? this.state.plane : null) ?? view.depth >> 1;
      const z = Math.min(plane ?? usual, view.depth - 1), place = { image: index, plane: z, axis: view.axis };
      const [arrived] = await Promise.all([this.images.plane(index, z, view.axis), this.cleaning.ask(place)]);
      if (wanted === this.#wanted) this.#arrive(image, view, arrived, place);
    } catch (error) {
      if (wanted !== this.#wanted) return;
      this.#wanted = null;
      this.#told.failed(error);
    }
  }

  #arrive(image, view, plane, place) {
    const isOther = this.image !== image, isTurned = this.view !== view;
    this.#wanted = null;
    Object.assign(this, { image, view, plane });
    Object.assign(this.state, place);
    if (!(this.state.show in overlays(image))) this.state.show = "level";
    this.#told.opened(image, isOther, isTurned);
    this.update();
  }

  // To be called after every change of the state.
  update() {
    const { state, image } = this;
    state.level ??= image.start;
    this.regions = image.tree.labels(this.level);
    this.selection = this.#selector.of(this);
    this.cleaning.show(this.selection, state, () => this.update(), this.#told.failed);
    this.store();
    this.#told.changed();
  }

  store() {
    this.#host.store(this.state);
  }

  // The number of regions of this image.
  get level() {
    return clamp(this.state.level ?? this.image.start, 1, this.image.tree.n);
  }

  // The level at which a mark is made now.
  get markLevel() {
    return this.state.show === "persistent" ? "persistent" : this.level;
  }

  get wantedPlane() {
    return this.#wanted?.plane ?? this.state.plane;
  }

  leafAt([row, col]) {
    return this.plane.map[row * this.view.spatial[1] + col];
  }

  // Whether marks of an image mean something in another, the one that is looked at.
  isRelated(index, other = this.state.image) {
    const { loaded } = this.images;
    return index === other || !!loaded[index] && loaded[index].tree === loaded[other]?.tree;
  }

  // The marks that mean something in an image.
  ownMarks(image = this.state.image) {
    return this.state.marks.filter(mark => this.isRelated(mark.image, image));
  }

  // A change of what is shown.
  set(more) {
    Object.assign(this.state, more);
    this.update();
  }

  // A change of what is meant, which can be undone.
  change(more) {
    this.history.record();
    this.set(more);
  }

  // How likely every leaf belongs to what the marks mean; null where they mean nothing together.
  get likelihood() {
    return this.state.auto ? likelihood(this.ownMarks(), this.images.loaded) : null;
  }

  get canGrow() {
    return this.state.auto && this.ownMarks().some(mark => mark.sign > 0);
  }

  // The next larger (1) or smaller (−1) answer, if there is one.
  grow(way) {
    const own = this.ownMarks(), last = own[own.length - 1];
    const next = this.canGrow && nextAnswer(this.image, own, way, this.images.loaded);
    if (next) this.change({ marks: this.state.marks.map(mark => mark === last ? next : mark) });
  }

  mark(mark) {
    this.change({ marks: [...this.state.marks, { ...mark, image: this.state.image }] });
  }

  // Undoes, or does again, and goes where the change had been made.
  travel(way) {
    const index = way === "back" ? this.history.undo() : this.history.redo();
    if (index === null) return;
    if (this.isRelated(index)) this.update();
    else this.open(index);
  }

  setLevel(level) {
    const k = clamp(Math.round(level), 1, this.image.tree.n), last = this.ownMarks().pop();
    const follows = last && last.node === undefined && !last.whole && last.level !== "persistent";
    if (follows) last.level = k;                                   // the last mark grows and shrinks with the slider
    this.set({ level: k, show: "level" });
  }

  // The next level that lasts, finer (1) or coarser (−1).
  toSalientLevel(way) {
    const levels = this.image.levels.filter(k => way > 0 ? k > this.level : k < this.level);
    if (levels.length) this.setLevel(way > 0 ? Math.min(...levels) : Math.max(...levels));
  }
}
