// A place to drop an image on: it is segmented in a worker, and shown in the explorer. Nothing leaves the page.
import { readPicture } from "./file.js";
import style from "./page.css";

const PROMISE = "It is segmented by this page, on this machine: nothing is sent anywhere, and it works " +
  "offline. An image with more than 256 pixels a side is made smaller first.";

const addressOf = text => URL.createObjectURL(new Blob([text], { type: "text/javascript" }));

// `data`: the files of the two networks as bytes, the palette, and the scripts of the worker and of the explorer.
export async function mount(element, data, { html }) {
  const explorer = await import(addressOf(data.explorer)), words = "Drop a PNG or a JPEG here, or choose one: ";
  const input = html("input", { type: "file", accept: ".png,.jpg,.jpeg" });
  const zone = html("label", { class: "drop-zone" }, html("span", {}, words), input);
  const says = html("p", { role: "status" }, "Nothing has been dropped yet."), place = html("div", {});
  element.append(html("style", {}, style), html("p", {}, PROMISE), zone, says, place);
  const page = new Page(says, place, explorer, data);
  input.addEventListener("change", () => input.files.length && page.take(input.files[0]));
  // Anywhere on the page, since a browser shows in place of it what is dropped beside the zone.
  for (const kind of ["dragover", "dragleave", "drop"])
    document.addEventListener(kind, event => {
      event.preventDefault();
      zone.classList.toggle("over", kind === "dragover");
      if (kind === "drop" && event.dataTransfer.files.length) page.take(event.dataTransfer.files[0]);
    });
}

class Page {
  #turn = 0;            // counts what was dropped; what an earlier one brings is not looked at
  #worker = null;
  #shown = null;

  constructor(says, place, explorer, data) {
    Object.assign(this, { says, place, explorer, data, script: addressOf(data.worker) });
  }

  #say(words, isFault = false) {
    this.says.textContent = words;
    this.says.classList.toggle("fault", isFault);
  }

  async take(file) {
    const turn = ++this.#turn, say = (words, isFault) => turn === this.#turn && this.#say(words, isFault);
    this.#worker?.terminate();
    say(`${file.name}: reading …`);
    try {
      const pixels = await readPicture(file), started = performance.now();
      if (turn !== this.#turn) return;
      const told = await this.#work({ pixels, name: file.name }, step => say(`${file.name}: ${step} …`));
      if (turn === this.#turn) this.#show(told, pixels, (performance.now() - started) / 1000);
    } catch (error) {
      say(error.message, true);
    }
  }

  // A promise of what a worker makes of an image; `tell` hears of its steps.
  #work(image, tell) {
    const worker = this.#worker = new Worker(this.script), { prior, hints } = this.data;
    return new Promise((resolve, reject) => {
      const fail = words => reject(new Error(`${image.name}: ${words}`));
      worker.onerror = event => fail(event.message);
      worker.onmessage = ({ data: told }) => {
        if (told.step) return tell(told.step);
        worker.terminate();
        return told.fault ? fail(told.fault) : resolve(told);
      };
      worker.postMessage({ ...image, prior: prior.buffer, hints: hints.buffer });
    });
  }

  #show({ facts, network }, pixels, seconds) {
    const [height, width] = facts.shape, notes = [`ready after ${seconds.toFixed(1)} s`];
    if (height !== pixels.height || width !== pixels.width)
      notes.push(`made smaller: masks have ${width} × ${height} pixels, the file ${pixels.width} × ${pixels.height}`);
    if (pixels.isTransparent) notes.push("what is transparent was taken for black");
    this.#say(`${facts.name}: ${notes.join("; ")}.`);
    this.#shown?.destroy();
    const box = document.createElement("div");
    this.place.replaceChildren(box);
    this.#shown = this.explorer.mount(box, { images: [facts], palette: this.data.palette, network });
  }
}
