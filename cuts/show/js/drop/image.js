// Pixels become numbers, as Python's `read_image` makes them.
import { picture } from "./convolution.js";

const TAIL = 0.005;     // part of the values of sixteen bits at each end that is cut off

// Of what `readPicture` gives an image in [-1, 1], of one channel or three; one of a single colour is 0 everywhere.
export function imageOf(pixels) {
  return pixels.deep ? ofDeep(pixels) : ofBytes(pixels);
}

function ofBytes({ height, width, isGrey, rgba }) {
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

// The window is between percentiles, or where these are one between the smallest and the largest value.
function ofDeep({ height, width, deep }) {
  const sorted = deep.slice().sort(), last = sorted.length - 1, out = picture(height, width, 1);
  let low = percentile(sorted, TAIL), high = percentile(sorted, 1 - TAIL);
  if (low >= high) [low, high] = [sorted[0], sorted[last]];
  if (low >= high) return out;
  const unit = Math.fround(2 / (high - low)), from = Math.fround(low);
  for (let i = 0; i <= last; i++) {
    const inside = Math.fround(Math.min(Math.max(deep[i], low), high));
    out.values[i] = Math.min(Math.max(Math.fround(Math.fround(inside - from) * unit) - 1, -1), 1);
  }
  return out;
}

function percentile(sorted, part) {
  const place = part * (sorted.length - 1), first = Math.floor(place), a = sorted[first];
  return a + (place - first) * (sorted[Math.min(first + 1, sorted.length - 1)] - a);
}

// The numbers of an image as they are drawn, from 0 to 255.
export function drawn({ values }) {
  return Uint8Array.from(values, v => Math.round(255 * (v + 1) / 2));
}
