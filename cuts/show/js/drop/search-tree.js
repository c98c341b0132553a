// A search tree over points of two numbers, laid out and asked as SciPy's is: of equally far points it takes the same.
import { Heap } from "./heap.js";
import { nthElement, partition } from "./order.js";

const LEAF = 16;        // points

export class SearchTree {
  constructor(rows, columns) {
    this.axes = [rows, columns];
    this.index = Int32Array.from(rows, (_, i) => i);
    this.root = this.#node(0, rows.length);
  }

  // What lies between two places: a leaf { start, end }, or { axis, split, less, more }.
  #node(start, end) {
    const spread = this.axes.map(x => this.#spread(x, start, end)), axis = +(spread[1] > spread[0]);
    if (end - start <= LEAF || !spread[axis]) return { start, end };
    const { index, axes: { [axis]: x } } = this, middle = start + (end - start >> 1);
    nthElement(index, start, middle, end, (a, b) => x[a] < x[b]);
    const [split, at] = this.#parted(x, x[index[middle]], start, middle, end);
    return { axis, split, less: this.#node(start, at), more: this.#node(at, end) };
  }

  #spread(x, start, end) {
    let low = Infinity, high = -Infinity;
    for (let i = start; i < end; i++) {
      low = Math.min(low, x[this.index[i]]);
      high = Math.max(high, x[this.index[i]]);
    }
    return high - low;
  }

  // Where what is below a number ends, after it has been put first; nothing below it: what is equal to it goes there.
  #parted(x, split, start, middle, end) {
    const at = partition(this.index, start, middle, i => x[i] < split);
    if (at > start) return [split, at];
    const next = split + Math.max(1.5 * 2 ** -53 * split, Number.MIN_VALUE);        // of float64
    return [next, partition(this.index, start, end, i => x[i] < next)];
  }

  // The `count` points nearest to one, in no order.
  nearest(point, count) {
    const place = this.axes.map(x => x[point]), cells = new Heap(), found = new Heap();
    let node = this.root, far = 0, sides = [0, 0], bound = Infinity;
    for (;;) {
      if (!node.less) {
        bound = this.#look(node, place, found, count, bound);
        if (!cells.size) break;
        [far, { node, sides }] = cells.pop();
        continue;
      }
      if (far > bound) break;
      const { axis, split, less, more } = node, isLess = place[axis] < split, beyond = sides.slice();
      beyond[axis] = (split - place[axis]) ** 2;
      const distance = far + (beyond[axis] - sides[axis]);
      if (distance <= bound) cells.push(distance, { node: isLess ? more : less, sides: beyond });
      node = isLess ? less : more;
    }
    return found.contents();
  }

  // Takes from a leaf what is nearer than the farthest of those found until now; how far that is.
  #look({ start, end }, place, found, count, bound) {
    for (let i = start; i < end; i++) {
      const j = this.index[i], far = (this.axes[0][j] - place[0]) ** 2 + (this.axes[1][j] - place[1]) ** 2;
      if (far >= bound) continue;
      if (found.size === count) found.pop();
      found.push(-far, j);
      if (found.size === count) bound = -found.least();
    }
    return bound;
  }
}
