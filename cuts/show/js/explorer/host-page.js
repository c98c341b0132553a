// The host of a page: all data are in it, and files are made here.
import { download, nifti, npy, png } from "./files.js";
import { plural } from "./numbers.js";
import { select } from "./selection.js";

// `data`: images, each with its planes; the palette; the network of hints; the state to begin with.
export function pageHost(data) {
  const { images, palette } = data;
  return {
    names: images.map(image => image.name),
    formats: ["png", "nii.gz", "npy"],
    state: () => data.state || {},
    store: () => {},
    image: index => ({ ...images[index], palette }),
    plane: (index, z) => images[index].planes[z],
    network: () => data.network,
    export: (explorer, what, format) => exportFiles(explorer.session, images.length, what, format),
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

function encoded(values, { shape, spatial, depth, grid, palette }, format) {
  if (format === "npy") return npy(values, shape);
  if (format === "nii.gz") return nifti(values, shape, grid);
  if (depth > 1) throw new Error("A volume does not fit into a PNG; take nii.gz or npy.");
  if (values.BYTES_PER_ELEMENT > 1)
    throw new Error("More than 255 regions do not fit into a PNG; take nii.gz or npy, or a coarser level.");
  return png(values, ...spatial, palette);
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
