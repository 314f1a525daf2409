/** Who lies nearest to whom, exactly, worked out in slices so that others have their turn. */

export interface Neighbours {
  /** Of each row, the nearest others, the nearest first. */
  readonly indices: number[][];
  readonly distances: number[][];
}

/** `count` of each row. `rest` is awaited between rows, of which so many are done. */
export async function nearest(rows: readonly Float32Array[], count: number, rest: (done: number) => Promise<void> | undefined): Promise<Neighbours> {
  const lengths = rows.map((row) => dot(row, row));
  const indices: number[][] = [];
  const distances: number[][] = [];
  for (const [i, row] of rows.entries()) {
    const square = rows.map((other, j) => (i === j ? Infinity : Math.max(0, lengths[i] + lengths[j] - 2 * dot(row, other))));
    const order = square.map((_, j) => j).sort((a, b) => (square[a] === square[b] ? a - b : square[a] - square[b])).slice(0, count);
    indices.push(order);
    distances.push(order.map((j) => Math.sqrt(square[j])));
    await rest(i + 1);
  }
  return { indices, distances };
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}
