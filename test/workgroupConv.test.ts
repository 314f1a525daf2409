/** Convolutions in workgroup memory, over awkward shapes, against sums in double precision. */
import { afterAll, beforeAll, describe, it } from 'vitest';
import { openGpu } from '../src/gpu/device';
import { Gpu } from '../src/gpu/gpu';
import { sizeOf } from '../src/hostTensor';
import type { ConvShape } from '../src/kernels/conv2d/conv2d';
import { conv2dShape } from '../src/kernels/conv2d/shape';
import { workgroupWeightCandidates } from '../src/kernels/conv2d/weightWorkgroup';
import { workgroupConvCandidates, workgroupInputCandidates } from '../src/kernels/conv2d/workgroup';
import { Tensor } from '../src/tensor';
import { convShape, everyProduct, type ConvCase } from './support/convReference';
import { expectNear, numbers } from './support/numbers';

let gpu: Gpu;
beforeAll(async () => {
  const opened = await openGpu();
  gpu = new Gpu(opened.device, { ...opened.adapter, software: false, sharedLanes: 1 });
});
afterAll(() => gpu.destroy());

/** Each with the tile to use: a software adapter takes a second to compile any. */
const CASES: readonly (ConvCase & { readonly id: string })[] = [
  { id: 'workgroup 32x32', x: [1, 6, 5, 16], weight: [3, 3, 16, 32], padding: [1, 1] },
  { id: 'workgroup 32x32', x: [3, 7, 5, 20], weight: [3, 3, 20, 36], padding: [1, 1] },
  { id: 'workgroup 32x32', x: [2, 9, 7, 16], weight: [3, 3, 16, 32], stride: [2, 2], padding: [1, 1] },
  { id: 'workgroup 32x32', x: [2, 8, 8, 16], weight: [1, 1, 16, 32], stride: [2, 2] },
  { id: 'workgroup 32x32', x: [1, 5, 5, 16], weight: [1, 1, 16, 20], padding: [2, 2] },
  { id: 'workgroup 32x32', x: [1, 13, 12, 32], weight: [3, 3, 32, 32], stride: [2, 2], padding: [2, 2], dilation: [2, 2] },
  { id: 'workgroup 32x32', x: [1, 11, 11, 16], weight: [2, 2, 16, 16], stride: [4, 3] },
  { id: 'workgroup 32x32', x: [2, 7, 7, 64], weight: [3, 3, 32, 32], padding: [1, 1], groups: 2 },
  { id: 'workgroup 32x32 split', x: [2, 5, 7, 64], weight: [3, 3, 64, 32], padding: [1, 1] },
  { id: 'workgroup 32x32 split', x: [1, 9, 8, 48], weight: [3, 3, 48, 32], stride: [2, 2], padding: [1, 1] },
  { id: 'workgroup 128x64', x: [2, 21, 20, 3], weight: [7, 7, 3, 64], stride: [2, 2], padding: [3, 3] },
  { id: 'workgroup 32x64', x: [2, 14, 11, 17], weight: [3, 2, 17, 35], stride: [2, 3], padding: [2, 0], dilation: [1, 2] },
  { id: 'workgroup 64x64', x: [1, 13, 12, 31], weight: [3, 3, 31, 33], padding: [1, 1] },
  { id: 'workgroup 128x128', x: [1, 13, 12, 32], weight: [1, 1, 32, 132] },
];

const nameOf = ({ id, x, weight, stride = [1, 1], groups = 1 }: (typeof CASES)[number]): string =>
  `${id}: ${x.join('x')} by ${weight.join('x')}, stride ${stride.join()}, ${groups} group(s)`;

function find<C extends { readonly id: string }>(candidates: readonly C[], id: string): C {
  const found = candidates.find((candidate) => candidate.id === id);
  if (!found) throw new Error(`no '${id}' among ${candidates.map((c) => c.id).join(', ')}`);
  return found;
}

const tensor = (shape: readonly number[], data: Float32Array): Tensor => Tensor.fromArray(gpu, shape, data);

function reference(shape: ConvShape, x: ArrayLike<number>, w: ArrayLike<number>, dy: ArrayLike<number>): { out: Float64Array; dx: Float64Array; dw: Float64Array } {
  const [out, dx, dw] = [dy.length, x.length, w.length].map((length) => new Float64Array(length));
  everyProduct(shape, (i, k, o) => {
    out[o] += x[i] * w[k];
    dx[i] += dy[o] * w[k];
    dw[k] += dy[o] * x[i];
  });
  return { out, dx, dw };
}

describe.each(CASES.map((c) => [nameOf(c), c] as const))('%s', (_, c) => {
  const shape = convShape(c);
  const outShape = conv2dShape(shape.x, shape.weight, shape.options);
  const [x, w, dy] = [shape.x, shape.weight, outShape].map((s, i) => numbers(sizeOf(s), i + 1));

  it('forward and its epilogue', async () => {
    const { run } = find(workgroupConvCandidates(gpu, shape), c.id);
    const operands = { x: tensor(shape.x, x), weight: tensor(shape.weight, w), out: Tensor.empty(gpu, outShape) };
    const expected = reference(shape, x, w, dy).out;
    run(operands);
    expectNear(await operands.out.toArray(), expected);
    const n = outShape[3];
    const [scale, bias, residual] = [numbers(n, 4), numbers(n, 5), numbers(expected.length, 6)];
    run({ ...operands, scale: tensor([n], scale), bias: tensor([n], bias), residual: tensor(outShape, residual), relu: true });
    expectNear(await operands.out.toArray(), expected.map((v, i) => Math.max(0, v * scale[i % n] + bias[i % n] + residual[i])));
  });

  it.skipIf(c.x[3] === 3)('input gradient', async () => {
    const candidates = workgroupInputCandidates(gpu, shape);
    const { run } = candidates.find(({ id }) => id === c.id) ?? find(candidates, c.id.replace(' split', ''));
    const out = Tensor.empty(gpu, shape.x);
    run({ dy: tensor(outShape, dy), weight: tensor(shape.weight, w), out });
    expectNear(await out.toArray(), reference(shape, x, w, dy).dx);
  });
});

/** Tiles of 32 x 32 for the shapes whose compiled constants repeat, one each of the others. */
const WEIGHT_CASES: readonly (ConvCase & { readonly id: string })[] = [
  { id: 'workgroup 32x32', x: [1, 6, 5, 16], weight: [3, 3, 16, 32], padding: [1, 1] },
  { id: 'workgroup 32x32', x: [2, 9, 7, 16], weight: [3, 3, 16, 32], stride: [2, 2], padding: [1, 1] },
  { id: 'workgroup 32x32', x: [1, 13, 12, 16], weight: [3, 3, 16, 36], stride: [2, 1], padding: [2, 3], dilation: [2, 2] },
  { id: 'workgroup 32x32', x: [2, 7, 7, 32], weight: [3, 3, 16, 64], padding: [1, 1], groups: 2 },
  { id: 'workgroup 32x32', x: [17, 3, 3, 16], weight: [3, 3, 16, 32] },
  { id: 'workgroup 32x32 split', x: [3, 9, 7, 16], weight: [3, 3, 16, 32], padding: [1, 1] },
  { id: 'workgroup 32x32 split', x: [7, 30, 31, 16], weight: [3, 3, 16, 32], stride: [1, 1], padding: [1, 1] },
  { id: 'workgroup 128x64 split', x: [2, 21, 20, 3], weight: [7, 7, 3, 64], stride: [2, 2], padding: [3, 3] },
  { id: 'workgroup 64x64', x: [1, 9, 8, 31], weight: [3, 2, 31, 33], padding: [1, 1] },
  { id: 'workgroup 128x128', x: [1, 5, 5, 132], weight: [1, 1, 132, 32] },
];

describe.each(WEIGHT_CASES.map((c) => [nameOf(c), c] as const))('weight gradient, %s', (_, c) => {
  it('is the sum over pixels', async () => {
    const shape = convShape(c);
    const outShape = conv2dShape(shape.x, shape.weight, shape.options);
    const [x, w, dy] = [shape.x, shape.weight, outShape].map((s, i) => numbers(sizeOf(s), i + 1));
    const out = Tensor.empty(gpu, shape.weight);
    find(workgroupWeightCandidates(gpu, shape), c.id).run({ x: tensor(shape.x, x), dy: tensor(outShape, dy), out });
    expectNear(await out.toArray(), reference(shape, x, w, dy).dw);
  });
});

it('takes f16 operands and sums in f32', async ({ skip }) => {
  skip(!gpu.device.features.has('shader-f16'), 'the adapter has no shader-f16');
  const shape: ConvShape = { ...convShape({ x: [2, 7, 6, 16], weight: [3, 3, 16, 32], padding: [1, 1] }), dtype: 'f16' };
  const outShape = conv2dShape(shape.x, shape.weight, shape.options);
  const [x, w, dy] = [shape.x, shape.weight, outShape].map((s, i) => Tensor.fromArray(gpu, s, numbers(sizeOf(s), i + 1), 'f16'));
  const expected = reference(shape, await x.toArray(), await w.toArray(), await dy.toArray());
  const [out, dx, dw] = [Tensor.empty(gpu, outShape, 'f16'), Tensor.empty(gpu, shape.x, 'f16'), Tensor.empty(gpu, shape.weight)];
  find(workgroupConvCandidates(gpu, shape), 'workgroup 32x32').run({ x, weight: w, out });
  find(workgroupInputCandidates(gpu, shape), 'workgroup 32x32 split').run({ dy, weight: w, out: dx });
  find(workgroupWeightCandidates(gpu, shape), 'workgroup 32x32').run({ x, dy, out: dw });
  expectNear(await out.toArray(), expected.out, 1e-3);
  expectNear(await dx.toArray(), expected.dx, 1e-3);
  expectNear(await dw.toArray(), expected.dw);
});

it('keeps NaN and infinities where they belong, padding apart', async () => {
  const shape = convShape({ x: [1, 6, 5, 16], weight: [3, 3, 16, 32], padding: [1, 1] });
  const [x, w] = [numbers(480, 1), numbers(4608, 2)];
  x[0] = NaN;
  x[479] = Infinity;
  const out = Tensor.empty(gpu, [1, 6, 5, 32]);
  find(workgroupConvCandidates(gpu, shape), 'workgroup 32x32').run({ x: tensor(shape.x, x), weight: tensor(shape.weight, w), out, relu: true });
  expectNear(await out.toArray(), reference(shape, x, w, new Float64Array(960)).out.map((v) => (v < 0 ? 0 : v)));
});
