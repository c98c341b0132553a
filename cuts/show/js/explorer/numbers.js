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
