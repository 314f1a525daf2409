/** Principal components of a few points of many dimensions. */

const ROUNDS = 500;

/**
 * Each row's coordinates along the `count` directions in which the rows differ most; zeros where there are fewer. From the
 * products of rows, so its cost grows with their number squared and hardly with their length. A direction's sign is such
 * that its largest coordinate is positive.
 */
export function principalComponents(rows: readonly Float32Array[], count: number): number[][] {
  const points = rows.length;
  const length = rows[0]?.length ?? 0;
  const mean = new Float64Array(length);
  for (const row of rows) row.forEach((value, i) => { mean[i] += value / points; });
  const centred = rows.map((row) => Float64Array.from(row, (value, i) => value - mean[i]));
  // The coordinates are the eigenvectors of the matrix of products, times the root of the eigenvalue.
  const products = centred.map((a) => Float64Array.from(centred, (b) => dot(a, b)));
  const total = products.reduce((sum, row, i) => sum + row[i], 0);
  const found: Float64Array[] = [];
  for (let component = 0; component < Math.min(count, points); component++) {
    const { vector, value } = leading(products, component);
    if (!(value > 1e-12 * total)) break;
    products.forEach((row, i) => row.forEach((_, j) => { row[j] -= value * vector[i] * vector[j]; }));
    const largest = vector.reduce((a, b) => (Math.abs(b) > Math.abs(a) + 1e-9 ? b : a), 0);
    found.push(vector.map((x) => x * Math.sqrt(value) * Math.sign(largest)));
  }
  return rows.map((_, i) => Array.from({ length: count }, (__, component) => found[component]?.[i] ?? 0));
}

/** Largest eigenvalue of a symmetric matrix and its vector of length 1, by repeated multiplication. */
function leading(matrix: readonly Float64Array[], seed: number): { vector: Float64Array; value: number } {
  let vector = unit(Float64Array.from(matrix, (_, i) => Math.cos(1 + i * (seed + 1) * 2.4)));
  let value = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const next = Float64Array.from(matrix, (row) => dot(row, vector));
    const before = value;
    value = Math.sqrt(dot(next, next));
    if (value === 0) break;
    vector = unit(next);
    if (Math.abs(value - before) <= 1e-13 * value) break;
  }
  return { vector, value };
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

function unit(vector: Float64Array): Float64Array {
  const length = Math.sqrt(dot(vector, vector)) || 1;
  return vector.map((x) => x / length);
}
