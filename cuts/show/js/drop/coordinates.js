// Landmarks in the directions in which most of their mass spreads. Python's `principal_coordinates` answers alike.

const DIM = 8;

// [n, ≤ 8] of points { n, d, x } with masses, and how many there are of each point; the largest number of every
// direction is positive.
export function principalCoordinates({ n, d, x }, mass) {
  const total = mass.reduce((a, b) => a + b, 0), X = Float64Array.from(x), mean = new Float64Array(d);
  for (let i = 0; i < n * d; i++) mean[i % d] += X[i] * mass[Math.floor(i / d)] / total;
  for (let i = 0; i < n * d; i++) X[i] -= mean[i % d];
  const C = new Float64Array(d * d);
  for (let i = 0; i < n; i++)
    for (let a = 0; a < d; a++)
      for (let b = 0; b < d; b++) C[a * d + b] += mass[i] * X[i * d + a] * X[i * d + b];
  const axes = eigenvectors(C, d).slice(0, Math.min(DIM, n)), dim = axes.length, Y = new Float64Array(n * dim);
  axes.forEach((axis, k) => {
    let most = 0;
    for (let i = 0; i < n; i++) {
      let sum = 0;
      for (let a = 0; a < d; a++) sum += X[i * d + a] * axis[a];
      Y[i * dim + k] = sum;
      if (Math.abs(sum) > Math.abs(most)) most = sum;
    }
    if (most < 0) for (let i = 0; i < n; i++) Y[i * dim + k] *= -1;
  });
  return { dim, Y: Float32Array.from(Y) };
}

// Eigenvectors of a symmetric matrix, those of the largest values first, by Jacobi's rotations.
function eigenvectors(A, d) {
  const V = Array.from({ length: d }, (_, i) => Float64Array.from({ length: d }, (_, k) => +(i === k)));   // rows
  const size = Math.sqrt(A.reduce((sum, v) => sum + v * v, 0)) || 1;
  for (let sweep = 0; sweep < 30; sweep++) {
    let off = 0;
    for (let p = 0; p < d; p++)
      for (let q = p + 1; q < d; q++) {
        off = Math.max(off, Math.abs(A[p * d + q]));
        if (A[p * d + q]) rotate(A, V, d, p, q);
      }
    if (off < 1e-15 * size) break;
  }
  return Array.from(V.keys()).sort((p, q) => A[q * d + q] - A[p * d + p]).map(p => V[p]);
}

function rotate(A, V, d, p, q) {
  const theta = (A[q * d + q] - A[p * d + p]) / (2 * A[p * d + q]);
  const t = (theta >= 0 ? 1 : -1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1)), c = 1 / Math.sqrt(t * t + 1);
  const s = t * c, turn = (x, i, y, j) => {
    const a = x[i], b = y[j];
    x[i] = c * a - s * b;
    y[j] = s * a + c * b;
  };
  for (let k = 0; k < d; k++) turn(A, p * d + k, A, q * d + k);
  for (let k = 0; k < d; k++) turn(A, k * d + p, A, k * d + q);
  for (let k = 0; k < d; k++) turn(V[p], k, V[q], k);
}
