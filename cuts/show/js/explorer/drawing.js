// What the pictures are drawn with: colours, images from numbers, outlines, strokes.

// What is selected is yellow, on warm images light blue: far from what lies under it for people of any colour vision.
// A dark rim goes with it.
const YELLOW = [255, 225, 30], BLUE = [70, 225, 255];
const WARM = 12;        // how much more red an image has on average than green and blue, of 255
const selectionColours = new WeakMap();   // of images
const MOST_LINES = 300_000;

export const rgb = ([red, green, blue]) => `rgb(${red},${green},${blue})`;
const rgba = (red, green, blue, alpha = 255) => ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;

// The colour of what is selected in an image, by the colours of its thumbnail [h × w], or [h × w × 3].
export function selectionColour(image) {
  if (!selectionColours.has(image)) selectionColours.set(image, isWarm(image) ? BLUE : YELLOW);
  return selectionColours.get(image);
}

function isWarm({ thumb, shape }) {
  const [h, w] = thumb.shape ?? shape;
  if (thumb.length !== 3 * h * w) return false;
  let warm = 0;
  for (let i = 0; i < thumb.length; i += 3) warm += thumb[i] - (thumb[i + 1] + thumb[i + 2]) / 2;
  return 3 * warm / thumb.length > WARM;
}

// The colour of a region's number in a list [n × 3], which begins again after its end.
export function colourOf(palette, number) {
  const k = 3 * (number % (palette.length / 3));
  return [palette[k], palette[k + 1], palette[k + 2]];
}

// A canvas of h × w pixels; `fill` is given its pixels as numbers of 32 bits.
function paint(h, w, fill) {
  const canvas = new OffscreenCanvas(w, h), context = canvas.getContext("2d"), image = context.createImageData(w, h);
  fill(new Uint32Array(image.data.buffer));
  context.putImageData(image, 0, 0);
  return canvas;
}

// A photograph of one value or three for each pixel.
export function photograph(values, h, w) {
  const step = values.length / (h * w), [green, blue] = step > 1 ? [1, 2] : [0, 0];
  return paint(h, w, out => {
    for (let i = 0; i < out.length; i++) {
      const red = i * step;
      out[i] = rgba(values[red], values[red + green], values[red + blue]);
    }
  });
}

// Colours of numbers from 0 to 255, from dark to bright: what is unlikely is blue, what is likely yellow.
const LIKELY = [[48, 18, 104], [64, 70, 160], [38, 130, 142], [90, 190, 100], [253, 231, 60]];

export function heat() {
  const colours = new Uint8Array(3 * 256), steps = LIKELY.length - 1;
  for (let i = 0; i < 256; i++) {
    const at = i / 255 * steps, k = Math.min(Math.floor(at), steps - 1);
    for (let c = 0; c < 3; c++) colours[3 * i + c] = LIKELY[k][c] + (at - k) * (LIKELY[k + 1][c] - LIKELY[k][c]);
  }
  return colours;
}

// Regions in their colours, and in another what is selected. `numbers` are 0 where nothing is drawn; opacities to 255.
export function painted({ numbers, selected, h, w }, palette, opacity, selection) {
  const length = palette.length / 3;
  const colours = Uint32Array.from({ length }, (_, i) => rgba(...colourOf(palette, i), opacity));
  const chosen = rgba(...selection);
  return paint(h, w, out => {
    for (let i = 0; i < out.length; i++) out[i] = selected[i] ? chosen : numbers[i] ? colours[numbers[i] % length] : 0;
  });
}

// Numbers of which two are the same where their colours are; the background of an image may be several regions.
export function alike(numbers, palette) {
  const length = palette.length / 3, of = Int32Array.from({ length }, (_, i) => {
    const [red, green, blue] = colourOf(palette, i);
    return (red << 16) | (green << 8) | blue;
  });
  return Int32Array.from(numbers, number => number ? of[number % length] : -1);
}

// The borders between the numbers of a grid as one path, in its cells; null where that would be too much to stroke.
export function outlines(numbers, h, w) {
  const path = new Path2D();
  let lines = 0;
  for (let r = 0; r < h - 1; r++)                         // lines below a row, joined as far as they go
    for (let c = 0, i = r * w; c < w; c++) {
      if (numbers[i + c] === numbers[i + c + w]) continue;
      const first = c;
      while (c < w && numbers[i + c] !== numbers[i + c + w]) c++;
      path.moveTo(first, r + 1);
      path.lineTo(c, r + 1);
      if (++lines > MOST_LINES) return null;
    }
  for (let c = 0; c < w - 1; c++)                         // and lines beside a column
    for (let r = 0; r < h; r++) {
      if (numbers[r * w + c] === numbers[r * w + c + 1]) continue;
      const first = r;
      while (r < h && numbers[r * w + c] !== numbers[r * w + c + 1]) r++;
      path.moveTo(c + 1, first);
      path.lineTo(c + 1, r);
      if (++lines > MOST_LINES) return null;
    }
  return path;
}

// Strokes a path (that of the context where none is given) several times, each [style, width] over the one before.
export function stroke(context, strokes, path = null) {
  for (const [style, width] of strokes) {
    context.strokeStyle = style;
    context.lineWidth = width;
    if (path) context.stroke(path);
    else context.stroke();
  }
}
