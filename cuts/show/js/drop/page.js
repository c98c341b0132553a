// A place to drop an image on: it is segmented in a worker, and shown in the explorer. Nothing leaves the page.
import { readPicture } from "./file.js";

const addressOf = text => URL.createObjectURL(new Blob([text], { type: "text/javascript" }));

// `data`: the files of the two networks as bytes, the palette, and the scripts of the worker and of the explorer.
export async function mount(element, data, { html }) {
  const explorer = await import(addressOf(data.explorer)), workerAddress = addressOf(data.worker);
  const says = html("p", { role: "status", "aria-live": "polite" }, "Nothing has been dropped yet.");
  const input = html("input", { type: "file", accept: "image/png,image/jpeg", onchange: () => take(input.files[0]) });
  const zone = html("label", { class: "drop-zone" }, html("span", {}, "Drop a PNG or JPEG here, or choose one: "), input);
  const place = html("div", {});
  let worker = null, shown = null;

  const say = (words, isFault = false) => {
    says.textContent = words;
    says.className = isFault ? "fault" : "";
  };

  function finished({ facts, network, seconds, pixels }) {
    const [h, w] = facts.shape, reduced = h === pixels.height && w === pixels.width ? "" : ` as ${w} × ${h} pixels,`;
    say(`${facts.name}:${reduced} ${facts.tree.n} landmarks, levels ${facts.levels.join(", ")}; ${seconds.toFixed(1)} s`);
    shown?.destroy();
    place.replaceChildren(html("div", {}));
    shown = explorer.mount(place.firstChild, { images: [facts], palette: data.palette, network });
  }

  async function take(file) {
    if (!file) return;
    worker?.terminate();
    worker = null;
    say(`${file.name}: reading`);
    try {
      const pixels = await readPicture(file), started = performance.now(), mine = worker = new Worker(workerAddress);
      mine.onmessage = ({ data: told }) => {
        if (mine !== worker) return;
        if (told.step) return say(`${file.name}: ${told.step} …`);
        mine.terminate();
        if (told.fault) return say(`${file.name}: ${told.fault}`, true);
        finished({ ...told, pixels, seconds: (performance.now() - started) / 1000 });
      };
      mine.onerror = event => say(`${file.name}: ${event.message}`, true);
      mine.postMessage({ prior: data.prior.buffer, hints: data.hints.buffer, pixels, name: file.name });
    } catch (error) {
      say(error.message, true);
    }
  }

  // Anywhere on the page, since a browser shows in place of it what is dropped beside the zone.
  for (const kind of ["dragover", "dragleave", "drop"])
    document.addEventListener(kind, event => {
      event.preventDefault();
      zone.classList.toggle("over", kind === "dragover");
      if (kind === "drop") take(event.dataTransfer.files[0]);
    });
  element.append(html("style", {}, STYLE), zone, says, place);
}

const STYLE = `
.drop-zone { display: block; padding: 2rem 1rem; border: 2px dashed var(--line); border-radius: 10px; text-align: center; }
.drop-zone.over, .drop-zone:focus-within { border-color: var(--blue); background: var(--panel); }
`;
