// Connected pieces of a mask; pixels that share a side are connected.

// The number of each pixel's piece, from 1 (0 outside the mask), and the size of each piece; size[0] is 0. `shape`:
// [height, width], or of a volume [depth, height, width]. Runs of a row are joined with those before them that they
// touch.
export function pieces(mask, shape) {
  const [height, width] = shape.slice(-2), plane = height * width, piece = new Int32Array(mask.length), parent = [0];
  const root = k => {
    while (parent[k] !== k) k = parent[k] = parent[parent[k]];
    return k;
  };
  for (let start = 0, row = 0; start < mask.length; start += width, row = (row + 1) % height)
    for (let i = start, last = 0; i < start + width; last = piece[i++]) {
      if (!mask[i]) continue;
      const above = row ? piece[i - width] : 0, before = i >= plane ? piece[i - plane] : 0;
      let k = last || above || before || parent.push(parent.length) - 1;
      if (above && above !== k) k = join(parent, root(above), root(k));
      if (before && before !== k) k = join(parent, root(before), root(k));
      piece[i] = k;
    }
  return numbered(piece, parent, root);
}

// Of two roots the smaller one, which becomes that of both.
function join(parent, a, b) {
  const first = Math.min(a, b);
  return parent[Math.max(a, b)] = first;
}

// The pieces numbered in the order of their first pixels.
function numbered(piece, parent, root) {
  const numbers = new Int32Array(parent.length), size = [0];
  for (let k = 1; k < parent.length; k++) numbers[k] = root(k) === k ? size.push(0) - 1 : numbers[root(k)];
  for (let i = 0; i < piece.length; i++) if (piece[i]) size[piece[i] = numbers[piece[i]]]++;
  return { piece, size };
}

// The connected pieces of a mask that hold a marked pixel (the largest piece if none does), and those that are as large
// as this share of the largest of these. All of the mask where nothing is marked. Python's `touched` answers alike.
export function keptPieces(mask, shape, marked, share) {
  if (!marked.length) return mask;
  const { piece, size } = pieces(mask, shape), kept = new Uint8Array(size.length);
  for (const i of marked) kept[piece[i]] = 1;
  kept[0] = 0;
  if (!kept.includes(1)) kept[size.reduce((best, area, i) => i && area > size[best] ? i : best, 0)] = 1;
  const least = share * size.reduce((most, area, i) => kept[i] ? Math.max(most, area) : most, 0);
  size.forEach((area, i) => { if (i && area >= least) kept[i] = 1; });
  const left = new Uint8Array(mask.length);
  for (let i = 0; i < left.length; i++) left[i] = kept[piece[i]];
  return left;
}
