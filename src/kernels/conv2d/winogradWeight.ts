/**
 * The weight gradient by Winograd's method: the adjoint of the convolution in winograd.ts. The patches of the input and
 * the tiles of the output's gradient are transformed, multiplied over all tiles as (tile + 2)² matrices, and transformed
 * back to 3 x 3 weights.
 */
import type { Gpu } from '../../gpu/gpu';
import { Tensor } from '../../tensor';
import type { ConvShape, ConvWeightOperands } from './conv2d';
import type { Candidate } from '../products/family';
import { elements } from '../launch';
import { launchMatmul } from '../matmul/matmul';
import { PATCHES, columnVariant, part, productsOf, rank, tilesOf, transformInput, widthOf, type Method, type Place } from './winograd';

/** Winograd's ways to compute a weight gradient, the best guess first; none where it is not 3 x 3 with stride, dilation and groups of 1. */
export function winogradWeightCandidates(gpu: Gpu, shape: ConvShape): Candidate<ConvWeightOperands>[] {
  return rank(gpu, shape, 'weight').map(({ method }) => ({
    id: `winograd ${method.tile}x${method.tile}`,
    run: (operands) => weightGradient(method, shape, operands),
  }));
}

function weightGradient(method: Method, { weight: [, , from, to], options: { padding } }: ConvShape, { x, dy, out }: ConvWeightOperands): void {
  const { gpu } = x;
  const tiles = tilesOf(method.tile, dy.shape);
  const products = productsOf(method);
  // Tiles are cut so that each part stays in the cache. The sums of one part are added to those of the parts before.
  const chunk = part(tiles.count, PATCHES / (4 * products * (from + to)), 1);
  const patches = Tensor.empty(gpu, [products, chunk, from]);
  const gradients = Tensor.empty(gpu, [products, chunk, to]);
  let sums = Tensor.empty(gpu, [products, from, to]);
  let before: Tensor | undefined;
  for (let first = 0; first < tiles.count; first += chunk) {
    const place = { first, tiles: Math.min(chunk, tiles.count - first), tiles_y: tiles.down, tiles_x: tiles.across };
    transformInput(method, { source: x, from, padding }, place, patches);
    transformGradient(method, dy, place, gradients);
    if (first > 0) [sums, before] = [before ?? Tensor.empty(gpu, sums.shape), sums];
    const operands = { a: patches, b: gradients, out: sums, residual: before };
    launchMatmul(from, to, place.tiles, operands, { batch: products, transposeA: true });
  }
  gpu.dispatch(method.back, { products: sums.storage, out: out.storage }, { pairs: from * to }, elements(from * to));
  for (const temporary of [patches, gradients, sums, before]) temporary?.dispose();
}

function transformGradient({ gradient }: Method, dy: Tensor, place: Place, patches: Tensor): void {
  const [, size_y, size_x, channels] = dy.shape;
  const width = widthOf(channels);
  const columns = channels / width;
  dy.gpu.dispatch(
    columnVariant(gradient, width),
    { dy: dy.storage, patches: patches.storage },
    { ...place, columns, size_y, size_x },
    elements(place.tiles * columns),
  );
}
