// Buttons, sliders and choices: they show what the state is, and change it.
import { ACTIONS } from "./actions.js";
import { plural } from "./numbers.js";
import { overlays } from "./state.js";
import { isVolume } from "./views.js";

const STEPS = 1000;     // of the slider of detail, whose scale is logarithmic

export class Controls {
  #format = null;         // of files, that somebody chose
  #dragging = false;      // while the slider follows the hand, it is not set

  constructor(explorer, root) {
    this.explorer = explorer;
    this.find = selector => root.querySelector(selector);
    this.slider = this.find("#level");
  }

  button(action) {
    return this.find(`[data-do="${action}"]`);
  }

  choice(setting) {
    return this.find(`[data-set="${setting}"]`);
  }

  // What depends on the host, once.
  offer(host) {
    const { names, formats, pages } = host;
    this.button("propose").hidden = names.length < 2;
    if (names.length > 1) this.choice("what").add(new Option("selections of all images", "masks"), 1);
    this.#tellSkipped(Object.entries(host.skipped?.() ?? {}));
    if (pages) this.choice("what").add(new Option("this page", "page"));
    this.choice("format").replaceChildren(...formats.map(format => new Option(format, format)));
  }

  // The images that are not shown, and why.
  #tellSkipped(skipped) {
    const box = this.find(".skipped"), words = ([name, why]) => why.includes(name) ? why : `${name}: ${why}`;
    box.hidden = !skipped.length;
    box.firstElementChild.textContent = `${plural(skipped.length, "image")} could not be opened`;
    const entries = skipped.map(entry => Object.assign(document.createElement("li"), { textContent: words(entry) }));
    box.lastElementChild.replaceChildren(...entries);
  }

  listen(root, on) {
    on(root, "click", event => {
      const pressed = event.target.closest?.("[data-do]"), entry = event.target.closest?.("[data-image]");
      if (pressed && !pressed.disabled && this.explorer.session.plane) ACTIONS[pressed.dataset.do](this.explorer);
      if (entry) this.explorer.session.open(+entry.dataset.image);
    });
    on(root, "input change", event => {
      const setting = event.target.dataset?.set;
      if (setting && this.explorer.session.plane) this.#set(setting, event.target.value, event.type);
    });
    on(this.slider, "pointerdown", () => { this.#dragging = true; });
    on(this.slider, "pointerup change", () => { this.#dragging = false; });
  }

  #set(setting, value, kind) {
    const { session } = this.explorer;
    if (setting === "level" && kind === "input") session.setLevel(session.image.tree.n ** (value / STEPS));
    else if (setting === "plane") session.open(session.state.image, +value);
    else if (setting === "axis" && kind === "change") session.open(session.state.image, null, +value);
    else if (setting === "format") this.#format = value;
    else if (setting === "opacity") this.explorer.setOpacity(+value);
    else if (setting === "show") session.set({ show: value });
  }

  // Where a level is on the slider.
  #position(level) {
    const { n } = this.explorer.session.image.tree;
    return n > 1 ? STEPS * Math.log(level) / Math.log(n) : 0;
  }

  // What depends on the image.
  fill(image) {
    const choices = Object.entries(overlays(image)), { phate } = this.explorer.host;
    this.choice("show").replaceChildren(...choices.map(([value, words]) => new Option(words, value)));
    this.find(".slice").hidden = image.views.length === 1;
    this.choice("plane").max = this.explorer.session.view.depth - 1;
    this.choice("axis").replaceChildren(...image.views.map(({ name, axis }) => new Option(name, axis)));
    this.#fillTicks(image);
    this.button("phate").hidden = !phate || image.tree.n < 10 || !image.coordinates;
    this.button("phate").setAttribute("aria-pressed", !!image.spread);
    for (const option of this.choice("format").options) option.disabled = !this.#fits(option.value, image);
    this.choice("format").value = this.#formatFor(image);
    const size = `${image.shape.join(" × ")} pixels`, help = "Alt and arrows move the cursor, Enter marks.";
    this.find(".picture").setAttribute("aria-label", `${image.name || "image"}: ${size}. ${help}`);
  }

  // Whether labels of an image can be written so.
  #fits(ending, image) {
    if (ending === "png" && isVolume(image) || ending === "dcm" && image.format !== "dcm") return false;
    return this.explorer.host.formats.includes(ending);
  }

  // That of the image's own file where it can be written, else one that keeps its millimetres, until somebody chooses
  // another.
  #formatFor(image) {
    const usual = isVolume(image) || image.unit === "mm" ? "nii.gz" : "png";
    const fits = ending => this.#fits(ending, image);
    return [this.#format, image.format, usual].find(fits) ?? this.explorer.host.formats[0];
  }

  #fillTicks({ levels, tree }) {
    const lines = levels.filter(level => level <= tree.n).map(level => {
      const x = `${100 * this.#position(level) / STEPS}%`;
      return `<line data-level="${level}" x1="${x}" x2="${x}" y1="0" y2="7"></line>`;
    });
    const help = "Ticks: levels that last (Shift and an arrow key goes to the next)";
    this.find(".ticks").innerHTML = `<title>${help}</title>${lines.join("")}`;
  }

  // What depends on the state.
  refresh() {
    const { session, sign, tool } = this.explorer, { state, history, image, level } = session;
    const pressed = { add: sign > 0, subtract: sign < 0, box: tool === "box", lasso: tool === "lasso",
      auto: state.auto, connected: state.connected,
      crumbs: state.crumbs, outlines: state.outlines, persistent: state.show === "persistent" };
    for (const [action, on] of Object.entries(pressed)) this.button(action).setAttribute("aria-pressed", on);
    for (const action of ["shrink", "grow"]) this.button(action).disabled = !session.canGrow;
    this.button("undo").disabled = !history.canUndo;
    this.button("redo").disabled = !history.canRedo;
    this.button("clear").disabled = !session.ownMarks().length;
    this.choice("show").value = state.show;
    this.find(".scale").hidden = state.show !== "probability";
    this.choice("opacity").value = state.opacity;
    this.choice("axis").value = state.axis;
    this.choice("plane").value = session.wantedPlane;
    this.find(".at").textContent = `${state.plane + 1} of ${session.view.depth}`;
    this.#refreshLevel(level, image.levels);
  }

  #refreshLevel(level, salient) {
    const words = plural(level, "region");
    if (!this.#dragging) this.slider.value = this.#position(level);
    this.slider.setAttribute("aria-valuetext", words + (salient.includes(level) ? ", which last" : ""));
    this.find(".count").textContent = words;
    for (const line of this.find(".ticks").querySelectorAll("line"))
      line.classList.toggle("on", +line.dataset.level === level);
  }
}
