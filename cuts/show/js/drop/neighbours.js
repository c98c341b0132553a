// Which pixels lie nearest to each other. Python's `neighbours` asks a search tree of SciPy's; where several pixels are
// equally far, what it takes depends on how the tree lies in memory, so this one is laid out and asked in the same way
// (with GNU's `nth_element`).

const NEAREST = 5;      // the pixel itself among them
const LEAF = 16;        // pixels

// Each of some pixels of an image, in their order, and the four of them that lie nearest to it, every pair once.
export function neighbours(pixels, width) {
  const n = pixels.length, tree = new SearchTree(ranks(pixels.map(i => Math.floor(i / width))),
    ranks(pixels.map(i => i % width))), keys = new Set();
  for (let i = 0; i < n && n > 1; i++)
    for (const j of tree.nearest(i, Math.min(NEAREST, n))) if (j !== i) keys.add(Math.min(i, j) * n + Math.max(i, j));
  const sorted = Float64Array.from(keys).sort();
  return { first: Int32Array.from(sorted, key => Math.floor(key / n)), second: Int32Array.from(sorted, key => key % n) };
}

// Numbers as places among those that occur.
function ranks(x) {
  const rank = new Map();
  x.slice().sort().forEach(v => rank.has(v) || rank.set(v, rank.size));
  return x.map(v => rank.get(v));
}

class SearchTree {
  constructor(rows, columns) {
    this.axes = [rows, columns];
    this.index = Int32Array.from(rows, (_, i) => i);
    this.root = this.#node(0, rows.length);
  }

  // What lies between two places: a leaf { start, end }, or { axis, split, less, more }.
  #node(start, end) {
    const spread = this.axes.map(x => this.#spread(x, start, end)), axis = +(spread[1] > spread[0]), x = this.axes[axis];
    if (end - start <= LEAF || !spread[axis]) return { start, end };
    const { index } = this, middle = start + (end - start >> 1);
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
      const distance = far - sides[axis] + beyond[axis];
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

// Pairs [number, content], the least number first; of equal ones that which this order of moves brings there.
class Heap {
  #items = [];

  get size() {
    return this.#items.length;
  }

  least() {
    return this.#items[0][0];
  }

  contents() {
    return this.#items.map(item => item[1]);
  }

  push(number, content) {
    const items = this.#items;
    let i = items.push([number, content]) - 1;
    for (let up = i - 1 >> 1; i > 0 && items[up][0] > items[i][0]; up = i - 1 >> 1) {
      [items[up], items[i]] = [items[i], items[up]];
      i = up;
    }
  }

  pop() {
    const items = this.#items, [first] = items, last = items.pop();
    if (!items.length) return first;
    items[0] = last;
    for (let i = 0; ;) {
      const left = 2 * i + 1, right = left + 1;
      const least = right < items.length && items[left][0] > items[right][0] ? right : left;
      if (least >= items.length || items[i][0] <= items[least][0]) return first;
      [items[i], items[least]] = [items[least], items[i]];
      i = least;
    }
  }
}

const swap = (x, i, j) => { [x[i], x[j]] = [x[j], x[i]]; };

// Puts first what passes; where the rest begins.
function partition(x, first, last, passes) {
  for (;;) {
    while (first < last && passes(x[first])) first++;
    while (first < last && !passes(x[last - 1])) last--;
    if (first === last) return first;
    swap(x, first++, --last);
  }
}

// The number that belongs at place `nth` comes there, with smaller ones before it (Musser 1997).
function nthElement(x, first, nth, last, isLess) {
  while (last - first > 3) {
    medianFirst(x, first, first + 1, first + (last - first >> 1), last - 1, isLess);
    const pivot = x[first];
    let low = first + 1, high = last;
    for (;;) {
      while (isLess(x[low], pivot)) low++;
      high--;
      while (isLess(pivot, x[high])) high--;
      if (low >= high) break;
      swap(x, low++, high);
    }
    if (low <= nth) first = low; else last = low;
  }
  for (let i = first + 1; i < last; i++) for (let j = i; j > first && isLess(x[j], x[j - 1]); j--) swap(x, j, j - 1);
}

function medianFirst(x, first, a, b, c, isLess) {
  const [p, q, r] = [x[a], x[b], x[c]];
  if (isLess(p, q)) swap(x, first, isLess(q, r) ? b : isLess(p, r) ? c : a);
  else swap(x, first, isLess(p, r) ? a : isLess(q, r) ? c : b);
}
