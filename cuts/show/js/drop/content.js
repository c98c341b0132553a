// What the pixels of an image say, row by row: the prior's vectors, interpolated between the points of their grid,
// and colours; and where pixels are. Python's `Content`, `at_pixels` and `places` answer alike.

const f = Math.fround;

export class Content {
  #columns;
  #rows;

  // `image` has its size; `grid` is of `priorVectors`; `colours` [pixels, channels] of `evenColours`.
  constructor({ height, width, channels }, grid, colours) {
    Object.assign(this, { height, width, channels, grid, colours, dim: grid.channels });
    this.#columns = between(grid.width, width);
    this.#rows = between(grid.height, height);
  }

  // The prior's vectors of the pixels of a row, [width, dim].
  vectors(y) {
    const { grid, dim, width } = this, line = this.#line(y);
    if (grid.width === width) return line;
    const { first, second, share } = this.#columns, out = new Float32Array(width * dim);
    for (let x = 0, o = 0; x < width; x++)
      for (let k = 0, a = first[x] * dim, b = second[x] * dim; k < dim; k++, a++, b++)
        out[o++] = line[a] + f(share[x] * f(line[b] - line[a]));
    return out;
  }

  // A row of the image, with the columns of the grid.
  #line(y) {
    const { grid: { height, width, values }, dim } = this, n = width * dim;
    if (height === this.height) return values.subarray(y * n, (y + 1) * n);
    const { first, second, share } = this.#rows, a = first[y] * n, b = second[y] * n, out = new Float32Array(n);
    for (let i = 0; i < n; i++) out[i] = values[a + i] + f(share[y] * f(values[b + i] - values[a + i]));
    return out;
  }

  // Vectors, colours and places of some pixels in their order, { n, d, x } each.
  of(pixels) {
    const { dim, channels, width } = this, n = pixels.length;
    const [Z, colours, places] = [dim, channels, 2].map(d => ({ n, d, x: new Float32Array(n * d) }));
    let line = null, known = -1;
    pixels.forEach((pixel, i) => {
      const y = Math.floor(pixel / width), x = pixel - y * width;
      if (y !== known) line = this.vectors(known = y);
      Z.x.set(line.subarray(x * dim, (x + 1) * dim), i * dim);
      for (let c = 0; c < channels; c++) colours.x[i * channels + c] = this.colours[pixel * channels + c];
      this.#place(places.x, 2 * i, y, x);
    });
    return { Z, colours, places };
  }

  // Of mean 0 and total variance 1 over the image.
  #place(out, at, y, x) {
    const { height, width } = this, scale = Math.max(Math.sqrt((height ** 2 + width ** 2 - 2) / 12), 1e-30);
    out[at] = (y - (height - 1) / 2) / scale;
    out[at + 1] = (x - (width - 1) / 2) / scale;
  }
}

// For each pixel of a line the points of a grid before and after it, and how near it is to the second.
function between(n, pixels) {
  const first = new Int32Array(pixels), second = new Int32Array(pixels), share = new Float32Array(pixels);
  for (let i = 0; i < pixels; i++) {
    const place = Math.min(Math.max((i + 0.5) * n / pixels - 0.5, 0), n - 1);
    first[i] = Math.min(Math.floor(place), Math.max(n - 2, 0));
    second[i] = Math.min(first[i] + 1, n - 1);
    share[i] = place - first[i];
  }
  return { first, second, share };
}
