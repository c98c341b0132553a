// Connected pieces of a mask; pixels that share a side are connected.

// The number of each pixel's piece, from 1 (0 outside the mask), and the size of each piece; size[0] is 0.
export function pieces(mask, height, width) {
  const piece = new Int32Array(height * width), size = [0];
  for (let start = 0; start < piece.length; start++)
    if (mask[start] && !piece[start]) size.push(flood(mask, piece, start, size.length, width));
  return { piece, size };
}

// Gives a number to all that hangs together with one pixel; how many pixels that are.
function flood(mask, piece, start, number, width) {
  const stack = [start];
  let area = 0;
  piece[start] = number;
  while (stack.length) {
    const i = stack.pop(), col = i % width;
    area++;
    for (const j of [col > 0 ? i - 1 : -1, col < width - 1 ? i + 1 : -1, i - width, i + width])
      if (j >= 0 && j < piece.length && mask[j] && !piece[j]) {
        piece[j] = number;
        stack.push(j);
      }
  }
  return area;
}

// The connected pieces of a mask that hold a marked pixel; the largest piece if none does.
export function touchedPieces(mask, height, width, marked) {
  const { piece, size } = pieces(mask, height, width);
  let kept = new Set(marked.filter(i => mask[i]).map(i => piece[i]));
  if (!kept.size) kept = new Set([size.reduce((best, area, i) => i && area > size[best] ? i : best, 0)]);
  return mask.map((inside, i) => inside && kept.has(piece[i]) ? 1 : 0);
}
