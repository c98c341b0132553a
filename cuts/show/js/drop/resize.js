// An image made smaller, as torch's bilinear interpolation with antialiasing does it.
import { picture } from "./convolution.js";
import { roundedToEven } from "./zones.js";

const SIDE = 256;      // pixels of the longer side, at which the network sees an image

// An image whose longer side has at most 256 pixels.
export function shown(image) {
  const scale = Math.min(1, SIDE / Math.max(image.height, image.width));
  if (scale === 1) return image;
  const size = n => Math.max(1, roundedToEven(n * scale));
  return turned(alongRows(turned(alongRows(image, size(image.width))), size(image.height)));
}

// The image with another width: means over triangles, as wide as two new pixels.
function alongRows({ height, width, channels, values }, size) {
  const out = picture(height, size, channels), scale = width / size;
  for (let x = 0; x < size; x++) {
    const middle = scale * (x + 0.5), first = Math.max(Math.floor(middle - scale + 0.5), 0);
    const end = Math.min(Math.floor(middle + scale + 0.5), width), parts = [];
    for (let i = first; i < end; i++) parts.push(Math.max(0, 1 - Math.abs((i - middle + 0.5) / scale)));
    const total = parts.reduce((a, b) => a + b, 0);
    for (let y = 0; y < height; y++)
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (let i = first; i < end; i++) sum += parts[i - first] * values[(y * width + i) * channels + c];
        out.values[(y * size + x) * channels + c] = sum / total;
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
