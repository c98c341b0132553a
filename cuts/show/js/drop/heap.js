// Pairs [number, content], the least number first; of equal ones that which this order of moves brings there.
export class Heap {
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
