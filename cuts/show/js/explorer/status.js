// What is selected, in numbers and in words.
import { short, sum } from "./numbers.js";
import { pieces } from "./pieces.js";
import { isVolume } from "./views.js";

const FEW = 2 ** 17;    // pixels, up to which connected pieces are counted

// `pixels` that are selected, `parts` that they hang together in (0 where these are not counted), their `size` in the
// unit of the spacing, and `dice`: the best agreement with a class of the truth, [Dice, class], or null.
export function measure({ image, plane, selection }) {
  const { mask, whole } = selection;
  const pixels = whole?.pixels ?? (mask ? sum(mask) : overLeaves(selection, image.counts));
  return {
    pixels,
    parts: whole?.parts ?? countParts(image, plane, selection),
    size: pixels * image.spacing.reduce((a, b) => a * b, 1),
    dice: image.truth ? bestDice(image.truth, pixels, whole?.shared ?? sharedPixels(image, plane, selection)) : null,
  };
}

function overLeaves({ leaves }, values) {
  return sum(values.filter((_, leaf) => leaves[leaf]));
}

// How many selected pixels lie in each class of the truth.
function sharedPixels({ truth }, plane, selection) {
  const { mask } = selection;
  if (!mask) return truth.shared.map(counts => overLeaves(selection, counts));
  const count = number => sum(mask.map((inside, i) => inside && plane.truth[i] === number));
  return truth.classes.map((_, j) => count(j + 1));
}

function bestDice({ classes, sizes }, pixels, shared) {
  const scores = classes.map((name, j) => [2 * shared[j] / (pixels + sizes[j]), name]);
  return scores.length ? scores.reduce((a, b) => b[0] > a[0] ? b : a) : null;
}

function countParts(image, { map }, { leaves, mask }) {
  const { counts, spatial } = image;
  if (isVolume(image) || !counts.length || map.length > FEW) return 0;
  return pieces(mask || Uint8Array.from(map, leaf => leaves[leaf]), spatial).size.length - 1;
}

// The line below the image.
export function describe(session) {
  const { image, selection } = session, flat = !isVolume(image);
  const marks = session.ownMarks();
  if (!selection.any && marks.some(mark => mark.sign > 0)) return "Nothing is left of the selection.";
  if (!selection.any && marks.length) return "Subtract takes away from what is selected: add something first.";
  if (!selection.any && session.state.auto)
    return "Click a structure in its middle, or paint over it; then add what is missing and subtract what is too much.";
  if (!selection.any) return "Click a structure, or paint over it; it grows and shrinks with Detail.";
  const { pixels, parts, size, dice } = measure(session), several = image.truth?.classes.length > 1;
  const physical = image.unit === "mm" ? `${short(size)} ${flat ? "mm²" : "mm³"}, ` : "";
  const share = `(${(100 * pixels / image.pixelCount).toFixed(1)} %)`;
  const known = several ? `class ${dice?.[1]} of the known labels` : "the known labels";
  const agreement = dice ? ` · Dice ${dice[0].toFixed(3)} with ${known}` : "";
  const counted = `${pixels.toLocaleString("en")} ${flat ? "pixels" : "voxels"}`;
  const what = session.state.auto && marks.at(-1)?.region ? "The region that is drawn here" : "Selected";
  return `${what}: ${physical}${counted} ${share}${parts > 1 ? ` in ${parts} pieces` : ""}${agreement}`;
}

// What to say of an error.
export function explain(error) {
  if (/^Cannot send|disposed|disconnected/i.test(error.message))
    return "The kernel was restarted or is gone. Run the cell again.";
  return String(error.message || error);
}
