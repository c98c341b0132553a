// Pixels become numbers, as Python's `read_image` makes them of eight bits.
import { picture } from "./convolution.js";

// Of [height, width, 4] bytes an image in [-1, 1], of one channel or three; an image of one colour is 0 everywhere.
export function imageOf({ height, width, isGrey, rgba }) {
  const channels = isGrey ? 1 : 3, out = picture(height, width, channels), unit = Math.fround(2 / 255);
  let isFlat = true;
  for (let i = 0; i < height * width; i++)
    for (let c = 0; c < channels; c++) {
      isFlat &&= rgba[4 * i + c] === rgba[0];
      out.values[i * channels + c] = Math.fround(rgba[4 * i + c] * unit) - 1;
    }
  if (isFlat) out.values.fill(0);
  return out;
}

// The numbers of an image as they are drawn, from 0 to 255.
export function drawn({ values }) {
  return Uint8Array.from(values, v => Math.round(255 * (v + 1) / 2));
}
