// A place to drop an image on: it is segmented in a worker, and shown in the explorer. Nothing leaves the page.
import { readPicture } from "./file.js";
import style from "./page.css";

const PROMISE = "It is segmented by this page, on this machine: nothing is sent anywhere, and it works offline.";
const LARGEST = 1024;                   // pixels of the longer side, to which larger images are reduced
const SIDES = [256, 512, LARGEST];
const HINT = "Click a region: its outline is the mask. Detail makes regions fewer or more; with Structure a " +
  "click means what is there at any granularity.";

const addressOf = text => URL.createObjectURL(new Blob([text], { type: "text/javascript" }));

// `data`: the files of the two networks and of the examples { name, bytes } as bytes, the palette, and the scripts of
// the worker and of the explorer.
export async function mount(element, data, { html }) {
  const explorer = await import(addressOf(data.explorer)), page = new Page(explorer, data, html);
  const { zone, says, work, take, place } = page;
  element.append(html("style", {}, style), html("p", {}, PROMISE), zone, says, work, take, place);
  listen(page);
}

// What is dropped counts anywhere on the page, since a browser shows in place of it what is dropped beside the zone.
function listen(page) {
  for (const kind of ["dragover", "dragleave", "drop"])
    document.addEventListener(kind, event => {
      event.preventDefault();
      page.zone.classList.toggle("over", kind === "dragover");
      if (kind === "drop") page.takeFirst(event.dataTransfer.files);
    });
  document.addEventListener("paste", event => {
    const { files, types } = event.clipboardData;
    if (files.length) event.preventDefault();
    if (files.length || !types.includes("text/plain")) page.takeFirst(files, "The clipboard holds no picture.");
  });
}

class Page {
  #turn = 0;            // counts what was dropped; what an earlier one brings is not looked at
  #worker = null;
  #shown = null;
  #file = null;

  constructor(explorer, data, html) {
    Object.assign(this, { explorer, data, script: addressOf(data.worker), place: html("div", {}) });
    this.says = html("p", { role: "status" }, "Nothing has been dropped yet.");
    this.zone = this.#zone(html);
    this.bar = html("progress", { max: 1, value: 0, "aria-label": "How much is done" });
    const cancel = html("button", { type: "button", onclick: () => this.cancel() }, "Cancel");
    this.work = html("div", { class: "drop-work", hidden: true }, this.bar, cancel);
    const button = (words, what) => html("button", { type: "button", onclick: () => this.#export(what) }, words);
    this.take = html("div", { class: "drop-take", hidden: true }, html("p", { class: "dim" }, HINT),
      button("Download labels (PNG)", "labels"), button("Download mask (PNG)", "mask"));
  }

  #zone(html) {
    const input = this.input = html("input", { type: "file", accept: ".png,.jpg,.jpeg", "aria-label": "Image" });
    input.addEventListener("change", () => this.takeFirst(input.files));
    this.side = html("select", { "aria-label": "Longer side in pixels" },
      ...SIDES.map(side => html("option", { value: side }, `${side} pixels a side`)));
    this.side.value = LARGEST;
    this.side.addEventListener("change", () => this.#file && this.takeFirst([this.#file]));
    const examples = this.data.examples.map(({ name, bytes }) => html("button", {
      type: "button", onclick: () => this.takeFirst([new File([bytes], name)]),
    }, name.replace(/\.\w+$/, "")));
    return html("div", { class: "drop-zone" },
      html("label", {}, "Drop a PNG or a JPEG, paste one, or choose one: ", input),
      html("label", {}, "At most ", this.side),
      html("span", {}, "Or try: ", ...examples.flatMap(button => [button, " "])));
  }

  #say(words, isFault = false) {
    this.says.textContent = words;
    this.says.classList.toggle("fault", isFault);
  }

  cancel() {
    this.#turn++;
    this.#end();
    this.#say("Cancelled.");
  }

  #end() {
    this.#worker?.terminate();
    this.#worker = null;
    this.work.hidden = true;
  }

  // The first of some files; `none`: what is said where there is none.
  async takeFirst([file], none = "What was dropped is no file.") {
    if (!file) return this.#say(none, true);
    const turn = ++this.#turn, isLast = () => turn === this.#turn;
    if (file !== this.input.files[0]) this.input.value = "";      // the name beside it is of an earlier one
    this.#end();
    this.#say(`${file.name}: reading …`);
    try {
      const pixels = await readPicture(file), started = performance.now();
      if (!isLast()) return;
      this.#file = file;
      const told = await this.#made({ pixels, name: file.name, side: +this.side.value });
      if (isLast()) this.#show(told, pixels, (performance.now() - started) / 1000);
    } catch (error) {
      if (isLast()) this.#say(error.message, true);
    }
    if (isLast()) this.#end();
  }

  // A promise of what a worker makes of an image.
  #made(image) {
    const worker = this.#worker = new Worker(this.script), { prior, hints } = this.data;
    let about = "";
    this.bar.value = 0;
    this.work.hidden = false;
    return new Promise((resolve, reject) => {
      const fail = words => reject(new Error(`${image.name}: ${words}`));
      worker.onerror = event => fail(event.message);
      worker.onmessage = ({ data: told }) => {
        if (told.fault) return fail(told.fault);
        if (told.facts) return resolve(told);
        if (told.seconds) about = `, ${told.shape[1]} × ${told.shape[0]} pixels, about ${Math.ceil(told.seconds)} s`;
        this.bar.value = told.done ?? 0;
        this.#say(`${image.name}${about}: ${told.step ?? "beginning"} …`);
      };
      const { rgba, deep } = image.pixels, message = { ...image, prior: prior.buffer, hints: hints.buffer };
      worker.postMessage(message, [(rgba ?? deep).buffer]);        // handed over, not copied
    });
  }

  #show({ facts, network }, pixels, seconds) {
    const [height, width] = facts.shape, notes = [`ready after ${seconds.toFixed(1)} s`];
    if (height !== pixels.height || width !== pixels.width)
      notes.push(`made smaller: masks have ${width} × ${height} pixels, the file ${pixels.width} × ${pixels.height}`);
    if (pixels.isTransparent) notes.push("what is transparent was taken for black");
    this.#say(`${facts.name}: ${notes.join("; ")}.`);
    this.#shown?.destroy();
    const box = document.createElement("div"), { palette } = this.data;
    this.place.replaceChildren(box);
    this.#shown = this.explorer.mount(box, { images: [facts], palette, network, state: { auto: false } });
    this.take.hidden = false;
  }

  async #export(what) {
    const explorer = this.#shown;
    try {
      await explorer.export(what === "mask" ? "masks" : what, "png");
    } catch (error) {
      explorer.say(error.message, true);
    }
  }
}
