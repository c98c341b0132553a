// A safetensors file: a header that names arrays, and their numbers, here in half precision.

export function readTensors(buffer) {
  const length = Number(new DataView(buffer).getBigUint64(0, true)), start = 8 + length;
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length))), tensors = {};
  for (const [name, { dtype, shape, data_offsets: ends }] of Object.entries(header)) {
    if (dtype !== "F16") continue;     // the rest are notes, and how many batches a normalisation has seen
    const [from, to] = ends;
    const bits = new Uint16Array(buffer.slice(start + from, start + to));
    tensors[name] = { shape, values: Float32Array.from(bits, half) };
  }
  return { tensors, facts: JSON.parse(header.__metadata__.cuts) };
}

function half(bits) {
  const sign = bits >> 15 ? -1 : 1, exponent = bits >> 10 & 31, fraction = bits & 1023;
  return exponent ? sign * 2 ** (exponent - 15) * (1 + fraction / 1024) : sign * 2 ** -14 * fraction / 1024;
}
