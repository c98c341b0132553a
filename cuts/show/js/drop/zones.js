// Flat zones of an image, which say one thing. Python's `flat_zones` and `evened` answer alike.

const STEP = Math.fround(0.02);      // what may be between neighbours, two and a half of 255 grey levels
const SPAN = 0.05;                   // what may be within a zone
const LEAST = 0.005;                 // of the pixels

// The zone of each pixel, from 1; those of one colour have one number, and 0 is none.
export function flatZones(image) {
  const { number: zone, count } = connected(levelPixels(image), image), { channels, values } = image;
  const size = new Float64Array(count + 1), pixels = zone.length;
  const low = new Float32Array((count + 1) * channels).fill(Infinity), high = low.map(x => -x);
  const sum = new Float64Array((count + 1) * channels);
  for (let i = 0; i < pixels; i++) {
    size[zone[i]]++;
    for (let c = 0; c < channels; c++) {
      const k = zone[i] * channels + c, x = values[i * channels + c];
      low[k] = Math.min(low[k], x);
      high[k] = Math.max(high[k], x);
      sum[k] += x;
    }
  }
  const known = new Map(), numberOf = new Int32Array(count + 1);
  for (let z = 1; z <= count; z++) {
    const of = Array.from({ length: channels }, (_, c) => z * channels + c);
    if (size[z] < LEAST * pixels || of.some(k => Math.fround(high[k] - low[k]) > Math.fround(SPAN))) continue;
    const colour = of.map(k => roundedToEven(sum[k] / size[z] / SPAN)).join();
    if (!known.has(colour)) known.set(colour, known.size + 1);
    numberOf[z] = known.get(colour);
  }
  return zone.map(z => numberOf[z]);
}

// The nearest whole number, of two the even one.
export function roundedToEven(x) {
  const floor = Math.floor(x), rest = x - floor;
  return rest === 0.5 ? floor + Math.abs(floor % 2) : Math.round(x);
}

// Which pixels differ little from the eight around them.
function levelPixels({ height, width, channels, values }) {
  const level = new Uint8Array(height * width);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      let most = 0;
      for (let c = 0; c < channels; c++) {
        let low = Infinity, high = -Infinity;
        for (let row = Math.max(y - 1, 0); row <= Math.min(y + 1, height - 1); row++)
          for (let column = Math.max(x - 1, 0); column <= Math.min(x + 1, width - 1); column++) {
            const v = values[(row * width + column) * channels + c];
            if (v < low) low = v;
            if (v > high) high = v;
          }
        most = Math.max(most, Math.fround(high - low));
      }
      level[y * width + x] = +(most <= STEP);
    }
  return level;
}

// Numbers from 1 for what hangs together by edges among the pixels that are set.
function connected(is, { height, width }) {
  const number = new Int32Array(height * width), queue = new Int32Array(height * width);
  let count = 0;
  for (let start = 0; start < number.length; start++) {
    if (!is[start] || number[start]) continue;
    let end = 0;
    number[queue[end++] = start] = ++count;
    for (let k = 0; k < end; k++) {
      const i = queue[k], x = i % width;
      const around = [x > 0 ? i - 1 : -1, x < width - 1 ? i + 1 : -1, i - width, i + width];
      for (const j of around)
        if (j >= 0 && j < number.length && is[j] && !number[j]) number[queue[end++] = j] = count;
    }
  }
  return { number, count };
}

// Vectors [pixels, dim] of which those of a zone are their mean, of length one.
export function evened(Z, dim, zone) {
  const count = zone.reduce((a, b) => Math.max(a, b), 0), mean = new Float64Array((count + 1) * dim);
  for (let i = 0; i < zone.length; i++)
    if (zone[i]) for (let k = 0; k < dim; k++) mean[zone[i] * dim + k] += Z[i * dim + k];
  for (let z = 1; z <= count; z++) {
    const of = mean.subarray(z * dim, (z + 1) * dim), length = Math.hypot(...of);
    for (let k = 0; k < dim; k++) of[k] /= length || 1;
  }
  for (let i = 0; i < zone.length; i++)
    if (zone[i]) for (let k = 0; k < dim; k++) Z[i * dim + k] = mean[zone[i] * dim + k];
  return Z;
}
