// Numbers, and words for them.

export const clamp = (x, low, high) => Math.max(low, Math.min(x, high));

export const sum = values => values.reduce((a, b) => a + b, 0);

export const plural = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;

// With two or three digits, large ones in full.
export function short(x) {
  if (x >= 1000) return Math.round(x).toLocaleString("en");
  if (x >= 10) return x.toFixed(x >= 100 ? 0 : 1);
  return x >= 0.1 || x === 0 ? x.toFixed(2) : x.toPrecision(2);
}

// Numbers in half precision, which travel as their bits; any others as they are.
export function asNumbers(bits) {
  return bits instanceof Uint16Array ? Float64Array.from(bits, half) : Float64Array.from(bits);
}

function half(bits) {
  const sign = bits >> 15 ? -1 : 1, exponent = bits >> 10 & 31, fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return exponent ? sign * 2 ** (exponent - 15) * (1 + fraction / 1024) : sign * 2 ** -14 * fraction / 1024;
}
