// A row of small pictures, one for each image, where there are several.
import { photograph } from "./drawing.js";
import { explain } from "./status.js";

const BESIDE = 120;     // pixels that stay in sight on the left of the chosen one

export class Strip {
  constructor(session, box) {
    this.session = session;
    this.box = box;
  }

  fill(names, signal) {
    this.box.hidden = names.length < 2;
    if (this.box.hidden) return;
    this.box.replaceChildren(...names.map(button));
    const watcher = new IntersectionObserver(entries => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting) continue;
        watcher.unobserve(target);
        this.#draw(target);
      }
    }, { root: this.box, rootMargin: "200px" });
    for (const entry of this.box.children) watcher.observe(entry);
    signal.addEventListener("abort", () => watcher.disconnect());
  }

  // The image of a button, once this is in sight.
  async #draw(entry) {
    try {
      const { thumb } = await this.session.images.image(+entry.dataset.image), [height, width] = thumb.shape;
      const canvas = Object.assign(entry.firstChild, { width, height });
      canvas.getContext("2d").drawImage(photograph(thumb, height, width), 0, 0);
    } catch (error) {
      entry.title += `: ${explain(error)}`;
    }
  }

  // Which images have marks, and which of these nothing but a proposal.
  show(marks) {
    if (this.box.hidden) return;
    for (const entry of this.box.children) {
      const made = marks.filter(mark => mark.image === +entry.dataset.image), seen = made.some(mark => !mark.proposed);
      entry.classList.toggle("marked", made.length > 0);
      entry.classList.toggle("proposed", made.length > 0 && !seen);
    }
  }

  select(index) {
    for (const entry of this.box.children) {
      const selected = +entry.dataset.image === index;
      entry.setAttribute("aria-selected", selected);
      entry.tabIndex = selected ? 0 : -1;
      if (selected) this.box.scrollLeft = Math.max(0, entry.offsetLeft - this.box.offsetLeft - BESIDE);
    }
  }
}

function button(name, index) {
  const entry = document.createElement("button"), label = document.createElement("span");
  entry.setAttribute("role", "option");
  entry.dataset.image = index;
  entry.title = label.textContent = name;
  entry.append(document.createElement("canvas"), label);
  return entry;
}
