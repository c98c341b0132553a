// The structures of the tree as bars, each as long as it lives: coarse on the left, as on the slider.
import { colourOf, rgb } from "./drawing.js";

export class Barcode {
  #timeline = null;       // from a time of the tree to a place, in percent of the width

  constructor(session, svg) {
    this.session = session;
    this.svg = svg;
  }

  // The bars of an image, once.
  layOut(image) {
    this.#timeline = timeline(image.structures);
    const order = nestedOrder(image.structures), height = 88 / Math.max(order.length, 1);
    const bars = order.map((i, row) => this.#bar(image, i, row, height));
    const ends = `<text x="4%" y="98%">coarse</text><text x="96%" y="98%" text-anchor="end">fine</text>`;
    this.svg.innerHTML = `<rect class="now" y="0" height="100%"></rect>${bars.join("")}${ends}`;
  }

  #bar({ structures, tree, colours }, i, row, height) {
    const { node, born, ended, share } = structures, left = this.#timeline(ended[i]), right = this.#timeline(born[i]);
    const words = `structure of ${(100 * share[i]).toFixed(1)} % of the image`;
    const colour = rgb(colourOf(colours, tree.leafOf(node[i]) + 1));
    const place = { x: left, width: Math.max(right - left, 0.8), y: 2 + row * height, height: thickness(height) };
    const where = Object.entries(place).map(([name, percent]) => `${name}="${percent}%"`).join(" ");
    const meaning = `tabindex="${row ? -1 : 0}" role="button" aria-label="${words}" data-node="${node[i]}"`;
    return `<rect ${meaning} ${where} rx="1" fill="${colour}"><title>${words}</title></rect>`;
  }

  // Where the slider is, and which bars were chosen.
  draw() {
    const { image, state, level } = this.session, { death, n } = image.tree, now = this.svg.querySelector(".now");
    const left = this.#timeline(level > 1 ? death[level - 1] : Infinity);
    const right = this.#timeline(level < n ? death[level] : 0);
    now.setAttribute("x", `${left}%`);
    now.setAttribute("width", `${Math.max(right - left, 0.6)}%`);
    const chosen = new Set(state.marks.map(mark => mark.node));
    for (const bar of this.svg.querySelectorAll("[data-node]"))
      bar.classList.toggle("chosen", chosen.has(+bar.dataset.node));
  }
}

// Of a bar, in rows of such a height.
function thickness(height) {
  return Math.max(Math.min(height * 0.8, 6), 0.5);
}

// Children before their parents, the larger first. The parent of what has none is −1.
function nestedOrder({ parent, share }) {
  const children = new Map(), order = [];
  parent.forEach((p, i) => children.set(p, [...children.get(p) || [], i]));
  const visit = i => {
    for (const child of (children.get(i) || []).sort((a, b) => share[b] - share[a])) visit(child);
    if (i >= 0) order.push(i);
  };
  visit(-1);
  return order;
}

function timeline({ born, ended }) {
  const ends = Array.from(ended).filter(isFinite), starts = Array.from(born);
  const last = Math.max(...starts, ...ends, 0), first = Math.min(...ends, ...starts.filter(time => time > 0), last);
  const pad = (last - first) * 0.06 || 1, span = last - first + 2 * pad;
  const clamp = time => Math.max(Math.min(time, last + pad), first - pad);
  return time => 96 - 92 * (clamp(time) - first + pad) / span;
}
