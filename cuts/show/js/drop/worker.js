// The work beside the page: it is told { prior, hints, pixels, name, side }, answers { seconds } that it will take,
// { step, done } several times, and at last { facts, network } or { fault }.
import { Duration } from "./duration.js";
import { wholeFacts } from "./facts.js";
import { drawn, imageOf } from "./image.js";
import { Prior } from "./prior.js";
import { readTensors } from "./safetensors.js";
import { segment } from "./segment.js";

self.onmessage = ({ data: { prior, hints, pixels, name, side } }) => {
  try {
    const image = imageOf(pixels, side), known = new Prior(prior), duration = new Duration(image);
    self.postMessage({ seconds: duration.expected(known.down[0][1]), shape: [image.height, image.width] });
    const tell = (step, part) => self.postMessage({ step, done: duration.done(step, part) });
    const segmentation = segment(image, known, tell), { tensors } = readTensors(hints);
    tell("drawing it");
    const network = Object.fromEntries(Object.entries(tensors).map(([key, { values }]) => [key, values]));
    const facts = wholeFacts(segmentation, { ...image, shown: drawn(image) }, network, name);
    self.postMessage({ facts, network });
  } catch (error) {
    self.postMessage({ fault: error.message });
  }
};
