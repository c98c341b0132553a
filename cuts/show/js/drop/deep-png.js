// A grey PNG of sixteen bits, of which a browser's own decoder keeps eight.

// { height, width, deep } of the bytes of such a file, `deep` a number for each pixel; an error if it is damaged.
export async function readDeep(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const width = view.getUint32(16), height = view.getUint32(20);
  if (bytes[28]) throw new Error("interlaced");
  const parts = [];
  for (let i = 8; i + 8 < bytes.length;) {
    const length = view.getUint32(i);
    if (view.getUint32(i + 4) === 0x49444154) parts.push(bytes.subarray(i + 8, i + 8 + length));     // IDAT
    i += 12 + length;
  }
  const stream = new Blob(parts).stream().pipeThrough(new DecompressionStream("deflate"));
  const raw = new Uint8Array(await new Response(stream).arrayBuffer());
  if (raw.length !== height * (1 + 2 * width)) throw new Error("cut short");
  return { height, width, deep: unfiltered(raw, height, width) };
}

// Each row begins with the way in which its bytes differ from those before and above.
function unfiltered(raw, height, width) {
  const n = 2 * width, deep = new Uint16Array(height * width);
  let above = new Uint8Array(n);
  for (let y = 0; y < height; y++) {
    const from = y * (n + 1), row = raw.subarray(from + 1, from + 1 + n), kind = raw[from];
    for (let k = 0; k < n; k++) {
      const left = k < 2 ? 0 : row[k - 2], up = above[k], corner = k < 2 ? 0 : above[k - 2];
      row[k] += [0, left, up, left + up >> 1, paeth(left, up, corner)][kind];
    }
    for (let x = 0; x < width; x++) deep[y * width + x] = row[2 * x] * 256 + row[2 * x + 1];
    above = row;
  }
  return deep;
}

function paeth(a, b, c) {
  const p = a + b - c, pa = Math.abs(p - a), pb = Math.abs(p - b), pc = Math.abs(p - c);
  return pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
}
