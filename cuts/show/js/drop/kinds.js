// What a file is, by its first bytes, where a browser can't read it as a picture; and what to do with it.

const KINDS = [
  ["a TIFF", bytes => isText(bytes, 0, "II*\0") || isText(bytes, 0, "MM\0*") || isText(bytes, 0, "II+\0")],
  ["DICOM", bytes => isText(bytes, 128, "DICM")],
  ["NIfTI", bytes => isText(bytes, 344, "n+1\0") || isText(bytes, 344, "ni1\0") || isText(bytes, 4, "n+2\0")],
  ["NRRD", bytes => isText(bytes, 0, "NRRD")],
  ["a NumPy array", bytes => isText(bytes, 1, "NUMPY")],
  ["a ZIP archive", bytes => isText(bytes, 0, "PK\x03\x04")],
  ["compressed by gzip", bytes => bytes[0] === 0x1f && bytes[1] === 0x8b],
  ["a GIF", bytes => isText(bytes, 0, "GIF8")],
  ["a WebP", bytes => isText(bytes, 8, "WEBP")],
  ["a BMP", bytes => isText(bytes, 0, "BM")],
  ["a PDF", bytes => isText(bytes, 0, "%PDF")],
];
const BY_NAME = { dcm: "DICOM", mha: "MetaImage", mhd: "MetaImage", svs: "a slide", ndpi: "a slide", mrc: "MRC" };
const FOREIGN = ["a PDF", "a ZIP archive"];       // what the program doesn't read either

function isText(bytes, at, text) {
  return Array.from(text).every((c, i) => bytes[at + i] === c.charCodeAt(0));
}

// An error that says what a file is instead of a PNG or a JPEG, and what reads it.
export function refusal(bytes, name) {
  const ending = name.toLowerCase().match(/\.(\w+)$/)?.[1], known = KINDS.find(([, is]) => is(bytes))?.[0];
  const kind = known ?? BY_NAME[ending];
  if (!bytes.length) return new Error(`${name}: empty. Copy or export it anew.`);
  if (FOREIGN.includes(kind)) return new Error(`${name}: ${kind}, expected a PNG or a JPEG. Save its picture as one.`);
  const words = kind ? `${kind}, which this page cannot read` : "neither PNG nor JPEG";
  return new Error(`${name}: ${words}. Use Python, where CUTS is installed: cuts explore "${name}"`);
}
