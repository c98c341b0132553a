// The work beside the page: it is told { prior, hints, pixels, name, side }, answers { step } several times, and at last
// { facts } or { fault }.
import { wholeFacts } from "./facts.js";
import { drawn, imageOf } from "./image.js";
import { Prior } from "./prior.js";
import { shown } from "./resize.js";
import { readTensors } from "./safetensors.js";
import { segment } from "./segment.js";

self.onmessage = ({ data: { prior, hints, pixels, name, side } }) => {
  try {
    const image = shown(imageOf(pixels), side), { tensors } = readTensors(hints);
    const network = Object.fromEntries(Object.entries(tensors).map(([key, { values }]) => [key, values]));
    const segmentation = segment(image, new Prior(prior), (step, part) => self.postMessage({ step, part }));
    const facts = wholeFacts(segmentation, { ...image, shown: drawn(image) }, network, name);
    self.postMessage({ facts, network });
  } catch (error) {
    self.postMessage({ fault: error.message });
  }
};
