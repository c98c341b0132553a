// Layers of a small U-Net on pictures { height, width, channels, values }, the channels of a pixel side by side.

export const picture = (height, width, channels, values = new Float32Array(height * width * channels)) =>
  ({ height, width, channels, values });

// A convolution and the normalisation after it as one, its weights in the order in which they are needed: four filters
// at a time, and for these row after row of the window.
export function folded(weight, norm) {
  const [filters, channels, side] = weight.shape, n = side * side * channels;
  const weights = new Float32Array(filters * n), bias = new Float32Array(filters);
  for (let f = 0; f < filters; f++) {
    const scale = norm.weight[f] / Math.sqrt(norm.running_var[f] + 1e-5);
    bias[f] = norm.bias[f] - norm.running_mean[f] * scale;
    for (let k = 0; k < side * side; k++)
      for (let c = 0; c < channels; c++)
        weights[4 * n * (f >> 2) + 4 * (k * channels + c) + (f & 3)] =
          scale * weight.values[(f * channels + c) * side * side + k];
  }
  return { filters, channels, weights, bias };
}

// A picture continued beyond its border by copies of its last pixels.
export function continued({ height, width, channels, values }, top, left, bottom, right) {
  const out = picture(height + top + bottom, width + left + right, channels);
  for (let y = 0; y < out.height; y++)
    for (let x = 0; x < out.width; x++) {
      const row = Math.min(Math.max(y - top, 0), height - 1), column = Math.min(Math.max(x - left, 0), width - 1);
      const from = (row * width + column) * channels, to = (y * out.width + x) * channels;
      for (let c = 0; c < channels; c++) out.values[to + c] = values[from + c];
    }
  return out;
}

// A 3 × 3 convolution, and of what is below zero a tenth; the width is even. Two pixels and four filters at a time.
export function convolve(image, { filters, weights, bias }) {
  const { height, width, channels } = image, x = continued(image, 1, 1, 1, 1).values;
  const out = picture(height, width, filters), row = (width + 2) * channels, n = 3 * channels;
  for (let y = 0; y < height; y++)
    for (let f = 0; f < filters; f += 4)
      for (let p = 0; p < width; p += 2) {
        let a0 = bias[f], a1 = bias[f + 1], a2 = bias[f + 2], a3 = bias[f + 3], b0 = a0, b1 = a1, b2 = a2, b3 = a3;
        let w = f * 3 * n;
        for (let k = 0; k < 3; k++) {
          let i = (y + k) * row + p * channels;
          for (const end = i + n; i < end; i++, w += 4) {
            const v = x[i], u = x[i + channels];
            const w0 = weights[w], w1 = weights[w + 1], w2 = weights[w + 2], w3 = weights[w + 3];
            a0 += v * w0; a1 += v * w1; a2 += v * w2; a3 += v * w3;
            b0 += u * w0; b1 += u * w1; b2 += u * w2; b3 += u * w3;
          }
        }
        put4(out.values, (y * width + p) * filters + f, a0, a1, a2, a3);
        put4(out.values, (y * width + p + 1) * filters + f, b0, b1, b2, b3);
      }
  return out;
}

function put4(out, i, a, b, c, d) {
  out[i] = Math.max(a, 0.1 * a);
  out[i + 1] = Math.max(b, 0.1 * b);
  out[i + 2] = Math.max(c, 0.1 * c);
  out[i + 3] = Math.max(d, 0.1 * d);
}

// Half the size: the means of four pixels each.
export function halved({ height, width, channels, values }) {
  const out = picture(height / 2, width / 2, channels), row = width * channels;
  for (let y = 0, o = 0; y < out.height; y++)
    for (let x = 0; x < out.width; x++)
      for (let c = 0; c < channels; c++, o++) {
        const i = 2 * y * row + 2 * x * channels + c, j = i + channels;
        out.values[o] = (values[i] + values[j] + values[i + row] + values[j + row]) / 4;
      }
  return out;
}

// Twice the size, interpolated linearly, with another picture of that size beside it.
export function doubledBeside({ height, width, channels, values }, finer) {
  const all = channels + finer.channels, out = picture(finer.height, finer.width, all);
  const steps = size => Array.from({ length: 2 * size }, (_, i) => {
    const place = Math.max((i + 0.5) / 2 - 0.5, 0), first = Math.floor(place);
    return [first, Math.min(first + 1, size - 1), place - first];
  });
  const columns = steps(width);
  steps(height).forEach(([top, bottom, down], y) => columns.forEach(([left, right, along], x) => {
    const pixel = y * out.width + x, corners = [top * width + left, top * width + right, bottom * width + left,
      bottom * width + right].map(i => i * channels), [a, b, c, d] = corners;
    for (let k = 0; k < channels; k++) {
      const above = values[a + k] + along * (values[b + k] - values[a + k]);
      const below = values[c + k] + along * (values[d + k] - values[c + k]);
      out.values[pixel * all + k] = above + down * (below - above);
    }
    for (let k = 0; k < finer.channels; k++)
      out.values[pixel * all + channels + k] = finer.values[pixel * finer.channels + k];
  }));
  return out;
}
