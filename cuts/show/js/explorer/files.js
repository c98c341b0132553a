// Label images as files, made in the page: NumPy, NIfTI and PNG. Values are unsigned and of 8 or 16 bits.

function compressed(blob, method) {
  return new Response(blob.stream().pipeThrough(new CompressionStream(method))).blob();
}

const bytesOf = text => new TextEncoder().encode(text);

export function npy(values, shape) {
  const type = values.BYTES_PER_ELEMENT > 1 ? "<u2" : "|u1", comma = shape.length === 1 ? "," : "";
  const facts = `{'descr': '${type}', 'fortran_order': False, 'shape': (${shape.join(", ")}${comma}), }`;
  const text = facts.padEnd(Math.ceil((facts.length + 11) / 64) * 64 - 11) + "\n";   // with `magic` a multiple of 64
  const magic = [0x93, ...bytesOf("NUMPY"), 1, 0, text.length & 255, text.length >> 8];
  return new Blob([new Uint8Array(magic), bytesOf(text), values]);
}

// NIfTI ---------------------------------------------------------------------------------------------------------------
// `grid`: for each axis of the file the axis of the array and whether it runs the other way, so that the file lies as
// its source does; the affine; the unit.
export function nifti(values, shape, grid) {
  const sizes = [...shape, 1].slice(0, 3), dims = grid.axes.map(axis => sizes[axis]);
  const blob = new Blob([niftiHeader(dims, 8 * values.BYTES_PER_ELEMENT, grid), laidOut(values, sizes, dims, grid)]);
  return compressed(blob, "gzip");
}

// The values in the order of the file, whose first axis runs fastest.
function laidOut(values, sizes, dims, { axes, flips }) {
  const stride = axes.map(axis => sizes.slice(axis + 1).reduce((a, b) => a * b, 1));
  const offset = (i, x) => stride[i] * (flips[i] ? dims[i] - 1 - x : x);
  const out = new values.constructor(values.length);
  let n = 0;
  for (let z = 0; z < dims[2]; z++)
    for (let y = 0; y < dims[1]; y++)
      for (let x = 0; x < dims[0]; x++) out[n++] = values[offset(0, x) + offset(1, y) + offset(2, z)];
  return out;
}

// The 348 bytes of a NIfTI-1 header and the four behind it; numbers are the offsets of nifti1.h.
function niftiHeader(dims, bits, { affine, unit }) {
  const view = new DataView(new ArrayBuffer(352));
  const int16 = (offset, ...numbers) => numbers.forEach((x, i) => view.setInt16(offset + 2 * i, x, true));
  const float32 = (offset, ...numbers) => numbers.forEach((x, i) => view.setFloat32(offset + 4 * i, x, true));
  const spacing = [0, 1, 2].map(j => Math.hypot(affine[0][j], affine[1][j], affine[2][j]) || 1);
  view.setInt32(0, 348, true);                            // sizeof_hdr
  int16(40, 3, ...dims, 1, 1, 1, 1);                      // dim
  int16(70, bits === 8 ? 2 : 512, bits);                  // datatype, bitpix
  float32(76, 1, ...spacing);                             // pixdim
  float32(108, 352, 1);                                   // vox_offset, scl_slope
  view.setInt8(123, unit === "mm" ? 2 : 0);               // xyzt_units
  int16(254, 1);                                          // sform_code
  for (let row = 0; row < 3; row++) float32(280 + 16 * row, ...affine[row].slice(0, 4));
  bytesOf("n+1\0").forEach((byte, i) => view.setUint8(344 + i, byte));
  return view.buffer;
}

// PNG -----------------------------------------------------------------------------------------------------------------
// Grey, of eight bits, as Python writes them: most readers would hand out the colours of a palette, not the numbers.
export async function png(values, height, width) {
  const header = new DataView(new ArrayBuffer(13));       // zeros: a colour type of grey
  header.setUint32(0, width);
  header.setUint32(4, height);
  header.setUint8(8, 8);                                  // bits
  const rows = new Uint8Array(height * (width + 1));      // each begins with the number of its filter, 0
  for (let r = 0; r < height; r++) rows.set(values.subarray(r * width, (r + 1) * width), r * (width + 1) + 1);
  const pixels = await (await compressed(new Blob([rows]), "deflate")).arrayBuffer();
  const parts = { IHDR: header.buffer, IDAT: pixels, IEND: [] }, table = crcTable();
  const chunks = Object.entries(parts).map(([name, body]) => chunk(name, new Uint8Array(body), table));
  return new Blob([new Uint8Array([0x89, ...bytesOf("PNG\r\n\x1a\n")]), ...chunks], { type: "image/png" });
}

function chunk(name, body, table) {
  const bytes = new Uint8Array(12 + body.length), view = new DataView(bytes.buffer);
  view.setUint32(0, body.length);
  bytes.set(bytesOf(name), 4);
  bytes.set(body, 8);
  view.setUint32(8 + body.length, crc(bytes.subarray(4, 8 + body.length), table));
  return bytes;
}

function crcTable() {
  return Uint32Array.from({ length: 256 }, (_, i) => {
    for (let bit = 0; bit < 8; bit++) i = i & 1 ? 0xedb88320 ^ (i >>> 1) : i >>> 1;
    return i;
  });
}

function crc(bytes, table) {
  let sum = 0xffffffff;
  for (const byte of bytes) sum = table[(sum ^ byte) & 255] ^ (sum >>> 8);
  return (sum ^ 0xffffffff) >>> 0;
}

// ---------------------------------------------------------------------------------------------------------------------
export function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
