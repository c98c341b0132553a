// Parts of a sort, in the order of moves of GNU's library.

const swap = (x, i, j) => { [x[i], x[j]] = [x[j], x[i]]; };

// Puts first what passes; where the rest begins.
export function partition(x, first, last, passes) {
  for (;;) {
    while (first < last && passes(x[first])) first++;
    while (first < last && !passes(x[last - 1])) last--;
    if (first === last) return first;
    swap(x, first++, --last);
  }
}

// The number that belongs at place `nth` comes there, with smaller ones before it (Musser 1997).
export function nthElement(x, first, nth, last, isLess) {
  for (let turns = 2 * (31 - Math.clz32(last - first)); last - first > 3; turns--) {
    if (!turns) return heapSelect(x, first, nth, last, isLess);
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

// The same where pivots are bad: a heap of the smallest numbers, the largest of them at its head.
function heapSelect(x, first, nth, last, isLess) {
  const size = nth + 1 - first;
  for (let i = size - 2 >> 1; i >= 0; i--) sift(x, first, i, size, x[first + i], isLess);
  for (let i = nth + 1; i < last; i++) {
    if (!isLess(x[i], x[first])) continue;
    const value = x[i];
    x[i] = x[first];
    sift(x, first, 0, size, value, isLess);
  }
  swap(x, first, nth);
}

// A number goes to the end of a heap from a place, by the way of the larger children, and from there up again.
function sift(x, first, place, size, value, isLess) {
  let hole = place;
  for (let child = 2 * hole + 2; child <= size; child = 2 * hole + 2) {
    if (child === size || isLess(x[first + child], x[first + child - 1])) child--;
    x[first + hole] = x[first + child];
    hole = child;
  }
  for (let up = hole - 1 >> 1; hole > place && isLess(x[first + up], value); up = hole - 1 >> 1) {
    x[first + hole] = x[first + up];
    hole = up;
  }
  x[first + hole] = value;
}
