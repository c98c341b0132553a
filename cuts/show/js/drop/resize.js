// An image made smaller, as torch's bilinear interpolation with antialiasing does it.
import { picture } from "./convolution.js";
import { roundedToEven } from "./zones.js";

const f = Math.fround;

const STRIP = 2 ** 20;         // pixels that are made smaller together

// An image whose longer side has at most `side` pixels.
export function shown(image, side) {
  const { height, width, channels, values } = image, row = width * channels;
  if (Math.max(height, width) <= side) return image;
  const strip = (first, end) => picture(end - first, width, channels, values.subarray(first * row, end * row));
  return shownOfStrips(image, strip, side);
}

// The same of an image whose rows from `first` to `end` are what `strip(first, end)` gives.
export function shownOfStrips({ height, width, channels }, strip, side) {
  const scale = Math.min(1, side / Math.max(height, width)), size = n => Math.max(1, roundedToEven(n * scale));
  if (scale === 1) return strip(0, height);
  const narrow = picture(height, size(width), channels), rows = Math.max(1, Math.floor(STRIP / width));
  for (let y = 0; y < height; y += rows)
    narrow.values.set(alongRows(strip(y, Math.min(y + rows, height)), size(width)).values, y * size(width) * channels);
  return turned(alongRows(turned(narrow), size(height)));
}

// The image with another width: means over triangles, as wide as two new pixels.
function alongRows({ height, width, channels, values }, size) {
  const out = picture(height, size, channels), scale = f(width / size), narrow = f(1 / scale);
  for (let x = 0; x < size; x++) {
    const middle = f(scale * (x + 0.5)), first = Math.max(Math.floor(f(middle - scale) + 0.5), 0);
    const end = Math.min(Math.floor(f(middle + scale) + 0.5), width);
    const reach = Float32Array.from({ length: end - first }, (_, i) => (f(first + i - middle) + 0.5) * narrow);
    const parts = reach.map(r => Math.max(0, 1 - Math.abs(r))), total = parts.reduce((sum, v) => f(sum + v), 0);
    for (let i = 0; i < parts.length; i++) parts[i] /= total;
    for (let y = 0; y < height; y++)
      for (let c = 0, from = (y * width + first) * channels; c < channels; c++) {
        let sum = 0;
        for (let i = 0; i < parts.length; i++) sum = f(sum + f(parts[i] * values[from + i * channels + c]));
        out.values[(y * size + x) * channels + c] = sum;
      }
  }
  return out;
}

// Rows become columns.
function turned({ height, width, channels, values }) {
  const out = picture(width, height, channels);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let c = 0; c < channels; c++)
        out.values[(x * height + y) * channels + c] = values[(y * width + x) * channels + c];
  return out;
}
