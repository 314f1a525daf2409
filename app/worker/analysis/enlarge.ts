/** A small map at the size of the picture it belongs to. */

/** Bilinear, from [height, width] to [size, size]: the centre of a cell has its value, beyond the outer ones nothing changes. */
export function enlarge(map: Float32Array, [height, width]: readonly [number, number], size: number): Float32Array {
  const rows = places(height, size);
  const columns = places(width, size);
  const out = new Float32Array(size * size);
  rows.forEach(([top, bottom, down], y) => columns.forEach(([left, right, across], x) => {
    const above = map[top * width + left] * (1 - across) + map[top * width + right] * across;
    const below = map[bottom * width + left] * (1 - across) + map[bottom * width + right] * across;
    out[y * size + x] = above * (1 - down) + below * down;
  }));
  return out;
}

/** For each of `to` places: the two of `from` it lies between, and how far along. */
function places(from: number, to: number): (readonly [number, number, number])[] {
  return Array.from({ length: to }, (_, i) => {
    const at = Math.min(Math.max(((i + 0.5) * from) / to - 0.5, 0), from - 1);
    const low = Math.floor(at);
    return [low, Math.min(low + 1, from - 1), at - low] as const;
  });
}
