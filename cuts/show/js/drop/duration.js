// How long an image will take on this machine, said before it is begun; and how much of that is over.
import { convolve, picture } from "./convolution.js";
import { SAMPLE } from "./random.js";
import { SIDE } from "./prior.js";

const PROBE = 0.008;            // seconds that the probe takes where the numbers below were measured
const CONDENSATIONS = 6;

// Seconds of each step there, for an image { height, width, channels }.
function secondsOf({ height, width, channels }) {
  const million = height * width / 1e6, sample = Math.min(million, SAMPLE / 1e6);
  const grid = million * Math.min(1, SIDE / Math.max(height, width)) ** 2;
  return {
    "looking at it with the network": 33 * grid,
    "evening out its colours": 0.75 * channels * million,
    "choosing landmarks": 12 * sample,
    condensing: 0.1 * CONDENSATIONS,
    "pricing regions": 0.1 + 6 * sample,
    "laying regions over all pixels": million > sample ? million : 0,
    "drawing it": 0.1 + 0.35 * million,
  };
}

export class Duration {
  #steps;
  #total;
  #done = 0;
  #step = null;

  constructor(image) {
    this.#steps = secondsOf(image);
    this.#total = Object.values(this.#steps).reduce((a, b) => a + b);
  }

  // In seconds, by a convolution that this machine is given to try.
  expected(convolution) {
    const sample = picture(64, 64, convolution.channels), took = Array.from({ length: 4 }, () => {
      const start = performance.now();
      convolve(sample, convolution);
      return performance.now() - start;
    });
    return this.#total * Math.min(...took) / 1000 / PROBE;
  }

  // Which part of all is done when this part of a step is.
  done(step, part = 0) {
    if (step !== this.#step) this.#done += this.#steps[this.#step] ?? 0;
    this.#step = step;
    return (this.#done + part * this.#steps[step]) / this.#total;
  }
}
