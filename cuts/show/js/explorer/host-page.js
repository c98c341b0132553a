// The host of a page: all data are in it, and files are made here.
import { download, nifti, npy, png } from "./files.js";
import { plural, sum } from "./numbers.js";
import { pieces } from "./pieces.js";
import { cleanedVolume, select } from "./selection.js";
import { meaningOf } from "./state.js";
import { isVolume, pixelsOfPlane, viewOf } from "./views.js";

// `data`: images, each with its planes; the palette; the network of hints; the state to begin with.
export function pageHost(data) {
  const { images, palette } = data, cleaned = memory();
  return {
    names: images.map(image => image.name),
    formats: ["png", "nii.gz", "npy"],
    unkept: () => "This page keeps no marks: export what you want to keep.",
    state: () => data.state || {},
    written: () => data.state?.marks,
    store: () => {},
    image: index => ({ ...images[index], palette }),
    plane: (index, z, axis) => axis ? cut(images[index], viewOf(images[index], axis), z) : images[index].planes[z],
    cleaned: (session, { image, plane, axis }) => {
      const { volume, ...told } = cleaned(session, image);
      const inPlane = pixelsOfPlane(images[image].shape, viewOf(images[image], axis), plane);
      return { ...told, mask: Uint8Array.from(inPlane, i => volume[i]) };
    },
    network: () => data.network,
    export: (explorer, what, format) => exportFiles(explorer.session, images.length, what, format),
  };
}

// All planes of a volume, one after the other: of their `map`, say.
function stacked(image, name) {
  const parts = image.planes.map(plane => plane[name]), out = new parts[0].constructor(sum(parts.map(x => x.length)));
  let start = 0;
  for (const part of parts) {
    out.set(part, start);
    start += part.length;
  }
  return out;
}

// A plane across another axis than the first, from those across the first.
function cut(image, view, z) {
  const inPlane = pixelsOfPlane(image.shape, view, z);
  return Object.fromEntries(Object.entries(image.planes[0]).map(([name, { length, constructor }]) => {
    const values = stacked(image, name), step = image.planes.length * length / sum(image.counts);
    const out = new constructor(inPlane.length * step);
    inPlane.forEach((i, n) => out.set(values.subarray(i * step, (i + 1) * step), n * step));
    return [name, out];
  }));
}

// A function that tells what is left of the selection in a volume, and its measures; the last answer is kept.
function memory() {
  let key = null, last = null;
  return (session, index) => {
    const { state, images: { loaded } } = session, asked = JSON.stringify([index, meaningOf(state)]);
    if (asked === key) return last;
    const image = loaded[index], volume = cleanedVolume(session, index, stacked(image, "map"));
    const truth = image.truth && stacked(image, "truth");
    const count = number => sum(volume.map((inside, i) => inside && truth[i] === number));
    const shared = truth && image.truth.classes.map((_, j) => count(j + 1));
    const inside = new Uint32Array(image.tree.n), parts = pieces(volume, image.shape).size.length - 1;
    stacked(image, "map").forEach((leaf, i) => { inside[leaf] += volume[i]; });
    [key, last] = [asked, { volume, pixels: sum(volume), parts, shared, inside }];
    return last;
  };
}

async function exportFiles(session, count, what, format) {
  if (what !== "masks") return `${await write(session, session.state.image, what, format)} is in your downloads.`;
  let written = 0;
  for (let index = 0; index < count; index++) {
    await session.images.image(index);
    const mask = await pixelValues(session, index, "mask");
    if (!mask.some(inside => inside)) continue;
    await save(session, index, mask, "mask", format);
    written++;
  }
  if (!written) throw new Error("Nothing is selected in any image; click a structure first.");
  return `${plural(written, "mask")} ${written === 1 ? "is" : "are"} in your downloads.`;
}

async function write(session, index, what, format) {
  return save(session, index, await pixelValues(session, index, what), what, format);
}

async function save(session, index, values, what, format) {
  const image = await session.images.image(index);
  const name = `${fileStem(image.name)}_${what === "labels" ? `${session.level}-regions` : what}.${format}`;
  download(await encoded(values, image, format), name);
  return name;
}

function encoded(values, image, format) {
  const { shape, spatial, grid } = image;
  if (format === "npy") return npy(values, shape);
  if (format === "nii.gz") return nifti(values, shape, grid);
  if (isVolume(image)) throw new Error("A volume does not fit into a PNG; take nii.gz or npy.");
  if (values.BYTES_PER_ELEMENT > 1)
    throw new Error("More than 255 regions do not fit into a PNG; take nii.gz or npy, or a coarser level.");
  return png(values, ...spatial);
}

function fileStem(name) {
  const stem = name.replace(/\.(nii\.gz|[a-z]{2,5})$/i, "").replace(/[^\p{L}\p{N}._-]+/gu, "_");
  return stem.slice(-100) || "image";
}

// Numbers of every pixel of an image, as things are now, whatever happens while planes come in.
async function pixelValues(session, index, what) {
  const image = await session.images.image(index), size = image.spatial[0] * image.spatial[1];
  const { map: first } = await session.images.plane(index, 0);
  const isMask = what === "mask";
  if (isMask && session.cleaning.concerns(index)) return cleanedVolume(session, index, stacked(image, "map"));
  const { leaves, mask } = isMask ? select(session, index, first) : { leaves: leafValues(session, image, what) };
  const values = new (leaves.some(value => value > 255) ? Uint16Array : Uint8Array)(image.depth * size);
  for (let z = 0; z < image.depth; z++) {
    const { map } = await session.images.plane(index, z);
    for (let i = 0; i < size; i++) values[z * size + i] = mask ? mask[i] : leaves[map[i]];
  }
  return values;
}

function leafValues({ level }, { tree, persistent }, what) {
  return what === "labels" ? tree.labels(level).map(region => region + 1) : Int32Array.from(persistent, x => x + 1);
}
