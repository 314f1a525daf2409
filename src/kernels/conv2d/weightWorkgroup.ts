/** The weight gradient with tiles in workgroup memory, for GPUs: shaders/conv2dWeightWorkgroup.wgsl. */
import type { Gpu } from '../../gpu/gpu';
import source from '../../../shaders/conv2dWeightWorkgroup.wgsl?raw';
import tileLib from '../../../shaders/lib/workgroupTile.wgsl?raw';
import type { ConvShape, ConvWeightOperands } from './conv2d';
import { conv2dShape, gradientParams } from './shape';
import { FEW } from './workgroup';
import { floatOf } from '../cast';
import { epilogueBindings, epilogueParams } from '../products/epilogue';
import { EpilogueKernel, elementSpec } from '../products/epilogueKernel';
import type { Candidate } from '../products/family';
import { inParts } from '../products/splitSum';
import { GRID, rankPlans, tileSpec, type Plan } from '../products/workgroupTile';

const kernel = new EpilogueKernel('conv2d_weight_workgroup', 'conv2d_weight_workgroup', [tileLib, source]);

/** Pixels that are added up in one run at most; longer sums lose digits. */
const PIXELS = 4096;

/** Both sides lie across the depth: channels are neighbours in memory, pixels are not. */
const SIDES = { leftAlong: false, rightAlong: false };

export function workgroupWeightCandidates(gpu: Gpu, shape: ConvShape): Candidate<ConvWeightOperands>[] {
  const [kh, kw, channels, out] = shape.weight;
  const { groups } = shape.options;
  const [images, height, width] = conv2dShape(shape.x, shape.weight, shape.options);
  const pixels = images * height * width;
  const m = kh * kw * channels;
  const n = out / groups;
  if (groups > 1 && n < FEW) return [];
  return rankPlans(gpu, { m, n, groups, depthSteps: (depth) => Math.ceil(pixels / depth), least: Math.ceil(pixels / PIXELS), ...SIDES })
    .filter(({ tile }) => Math.max(m / tile.m, groups * Math.ceil(n / tile.n)) <= GRID)
    .map((plan) => ({ id: plan.id, run: (operands) => inParts(gpu, plan.splits, operands, (parts) => multiply(shape, parts, plan)) }));
}

function multiply({ weight, options }: ConvShape, operands: ConvWeightOperands, { tile, splits, steps }: Plan): void {
  const { x, dy, out } = operands;
  const { groups } = options;
  const [kh, kw, channels, width] = weight;
  const columns = width / groups;
  const [images, outY, outX] = dy.shape;
  const rows = kh * kw * channels;
  const dtype = floatOf(x);
  const spec = { ...tileSpec(tile, SIDES), ...elementSpec('X', channels, dtype), ...elementSpec('DY', columns, dtype), CHANNELS: channels, KERNEL_X: kw };
  x.gpu.dispatch(
    kernel.variant(columns, { dtype, out: floatOf(out) }, spec),
    { x: x.storage, dy: dy.storage, ...epilogueBindings({}, x), out: out.storage },
    {
      pixels: images * outY * outX,
      ...gradientParams(x.shape, dy.shape, options),
      rows,
      groups,
      columns,
      steps,
      ...epilogueParams({}),
    },
    [groups * Math.ceil(columns / tile.n), Math.ceil(rows / tile.m), splits],
  );
}
