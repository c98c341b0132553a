// Pixels become numbers, as Python's `read_image` makes them.
import { picture } from "./convolution.js";
import { shownOfStrips } from "./resize.js";

const TAIL = 0.005;     // part of the values of sixteen bits at each end that is cut off

// Of what `readPicture` gives an image in [-1, 1], of one channel or three; one of a single colour is 0 everywhere. Its
// longer side has at most `side` pixels: a larger one is made smaller strip by strip, since all of its numbers may be
// more than a browser gives a page.
export function imageOf(pixels, side) {
  const { height, width } = pixels, strip = pixels.deep ? ofDeep(pixels) : ofBytes(pixels);
  return shownOfStrips({ height, width, channels: pixels.deep || pixels.isGrey ? 1 : 3 }, strip, side);
}

// A function that gives the image of some rows.
function ofBytes({ width, isGrey, rgba }) {
  const channels = isGrey ? 1 : 3, unit = Math.fround(2 / 255), isFlat = hasOneColour(rgba, channels);
  return (first, end) => {
    const out = picture(end - first, width, channels), { values } = out;
    for (let i = 0, from = 4 * first * width; i < values.length && !isFlat; from += 4)
      for (let c = 0; c < channels; c++) values[i++] = Math.fround(rgba[from + c] * unit) - 1;
    return out;
  };
}

function hasOneColour(rgba, channels) {
  for (let i = 0; i < rgba.length; i += 4)
    for (let c = 0; c < channels; c++) if (rgba[i + c] !== rgba[0]) return false;
  return true;
}

// The window is between percentiles, or where these are one between the smallest and the largest value.
function ofDeep({ width, deep }) {
  const sorted = deep.slice().sort();
  let low = percentile(sorted, TAIL), high = percentile(sorted, 1 - TAIL);
  if (low >= high) [low, high] = [sorted[0], sorted[sorted.length - 1]];
  const unit = Math.fround(2 / (high - low)), from = Math.fround(low);
  return (first, end) => {
    const out = picture(end - first, width, 1), { values } = out;
    for (let i = 0; i < values.length && low < high; i++) {
      const inside = Math.fround(Math.min(Math.max(deep[first * width + i], low), high));
      values[i] = Math.min(Math.max(Math.fround(Math.fround(inside - from) * unit) - 1, -1), 1);
    }
    return out;
  };
}

function percentile(sorted, part) {
  const place = part * (sorted.length - 1), first = Math.floor(place), a = sorted[first];
  return a + (place - first) * (sorted[Math.min(first + 1, sorted.length - 1)] - a);
}

// The numbers of an image as they are drawn, from 0 to 255.
export function drawn({ values }) {
  return Uint8Array.from(values, v => Math.round(255 * (v + 1) / 2));
}
