/**
 * Convolutions as matrix products that are never written out, in registers only. The forward pass and the input gradient
 * share one kernel (shaders/conv2d.wgsl), the weight gradient has its own (shaders/conv2dWeight.wgsl).
 */
import type { Gpu } from '../../gpu/gpu';
import { Tensor, type FloatDtype } from '../../tensor';
import gatherSource from '../../../shaders/conv2d.wgsl?raw';
import weightSource from '../../../shaders/conv2dWeight.wgsl?raw';
import type { ConvInputOperands, ConvOperands, ConvShape, ConvWeightOperands } from './conv2d';
import { conv2dShape, forwardWalks, gradientParams, inputWalks, walkParams, type Walk } from './shape';
import { epilogueBindings, epilogueParams } from '../products/epilogue';
import type { Candidate } from '../products/family';
import { sum } from '../reduce';
import { rankTilings, tilingId, TiledKernel, type Tiling } from '../products/tiling';
import { swapMatrixAxes } from '../transpose';

const gatherKernel = new TiledKernel('conv2d', gatherSource, 'P');
const weightKernel = new TiledKernel('conv2d_weight', weightSource, 'R');

/** Pixels that the weight gradient adds up in one run; longer sums lose digits. */
const PIXELS = 4096;

export function directCandidates(gpu: Gpu, { x, weight, options, dtype }: ConvShape): Candidate<ConvOperands>[] {
  const shape = conv2dShape(x, weight, options);
  const { groups } = options;
  const [rows, cols] = forwardWalks(shape, weight, options);
  const extents = { columns: weight[3] / groups, groups, rows: shape[0] * shape[1] * shape[2], depth: weight[2] };
  return rankTilings(gpu, extents).map((tiling) => ({
    id: `registers ${tilingId(tiling)}`,
    run: (operands) => gather(operands, rows, cols, groups, tiling, dtype),
  }));
}

export function directInputCandidates(gpu: Gpu, { x, weight, options, dtype }: ConvShape): Candidate<ConvInputOperands>[] {
  const { groups } = options;
  const [kh, kw, perGroup, width] = weight;
  const [rows, cols] = inputWalks(x, weight, options);
  const extents = { columns: perGroup, groups, rows: x[0] * rows[0].extent * cols[0].extent, depth: width / groups };
  return rankTilings(gpu, extents).map((tiling) => ({
    id: `registers ${tilingId(tiling)}`,
    run({ dy, weight: straight, out }) {
      const swapped = swapMatrixAxes(straight, [kh * kw, perGroup, groups, width / groups]);
      const turned = swapped.view([kh, kw, width / groups, perGroup * groups]);
      for (const y of rows) for (const x of cols) gather({ x: dy, weight: turned, out }, y, x, groups, tiling, dtype);
      turned.dispose();
    },
  }));
}

export function directWeightCandidates(gpu: Gpu, shape: ConvShape): Candidate<ConvWeightOperands>[] {
  const [, kw, channels, out] = shape.weight;
  const { groups } = shape.options;
  const extents = { columns: out / groups, groups, rows: kw * channels, depth: 2 }; // pixels that are left over go one by one
  return rankTilings(gpu, extents).map((tiling) => ({
    id: `registers ${tilingId(tiling)}`,
    run: (operands) => weightGradient(shape, operands, tiling),
  }));
}

function weightGradient({ weight, options, dtype }: ConvShape, { x, dy, out }: ConvWeightOperands, tiling: Tiling): void {
  const { gpu } = x;
  const shape = dy.shape;
  const { groups } = options;
  const [kh, kw, channels, width] = weight;
  const columns = width / groups / tiling.width;
  const across = Math.ceil((groups * Math.ceil(columns / tiling.columns)) / tiling.workgroup[0]);
  const down = Math.ceil((kh * Math.ceil((kw * channels) / tiling.rows)) / tiling.workgroup[1]);
  // Enough workgroups to fill the device, each adding up few enough pixels to keep its digits.
  const imageRows = shape[0] * shape[1];
  const wanted = Math.max(Math.ceil((gpu.adapter.software ? 64 : 1024) / (across * down)), Math.ceil((imageRows * shape[2]) / PIXELS));
  const chunk = Math.ceil(imageRows / Math.min(imageRows, wanted));
  const chunks = Math.ceil(imageRows / chunk);
  const partial = chunks === 1 ? out : Tensor.empty(gpu, [chunks, ...weight]);
  gpu.dispatch(
    weightKernel.variant(tiling, dtype),
    { x: x.storage, dy: dy.storage, out: partial.storage },
    {
      ...gradientParams(x.shape, shape, options),
      image_rows: imageRows,
      chunk,
      kernel_y: kh,
      kernel_x: kw,
      groups,
      channels,
      columns,
    },
    [across, down, chunks],
  );
  if (partial === out) return;
  sum(partial, [0], { out });
  partial.dispose();
}

/** One dispatch of shaders/conv2d.wgsl: every position of the two walks, all channels. */
function gather(operands: ConvOperands, y: Walk, x: Walk, groups: number, tiling: Tiling, dtype: FloatDtype | undefined): void {
  const { x: source, weight, out } = operands;
  const [, kernelX, channels, width] = weight.shape;
  const pixels = source.shape[0] * y.extent * x.extent;
  const columns = width / groups / tiling.width;
  const params = {
    pixels,
    kernel_x: kernelX,
    groups,
    channels,
    columns,
    target_y: out.shape[1],
    target_x: out.shape[2],
    source_y: source.shape[1],
    source_x: source.shape[2],
    ...walkParams(y, x),
    ...epilogueParams(operands),
  };
  const rows = Math.ceil(pixels / tiling.rows / tiling.workgroup[1]);
  const fold = Math.min(Math.max(rows, 1), 32768);
  source.gpu.dispatch(
    gatherKernel.variant(tiling, dtype),
    { x: source.storage, weight: weight.storage, ...epilogueBindings(operands, weight), out: out.storage },
    params,
    [Math.ceil((groups * Math.ceil(columns / tiling.columns)) / tiling.workgroup[0]), fold, Math.ceil(rows / fold)],
  );
}
