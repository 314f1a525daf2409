/** Depthwise convolutions and those in groups of few channels, over awkward shapes, against sums in double precision. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openGpu } from '../src/gpu/device';
import { Gpu } from '../src/gpu/gpu';
import { sizeOf } from '../src/hostTensor';
import { conv2dShape } from '../src/kernels/conv2d/shape';
import { depthwiseCandidates, depthwiseInputCandidates, depthwiseWeightCandidates } from '../src/kernels/conv2d/depthwise';
import { Tensor } from '../src/tensor';
import { convShape, everyProduct, type ConvCase } from './support/convReference';
import { expectNear, numbers } from './support/numbers';

let gpu: Gpu;
beforeAll(async () => {
  const opened = await openGpu();
  gpu = new Gpu(opened.device, { ...opened.adapter, software: false, sharedLanes: 1 });
});
afterAll(() => gpu.destroy());

/** The name says what is particular; `skip` is what the family leaves to other algorithms. */
const CASES: readonly (ConvCase & { readonly name: string; readonly skip?: readonly string[] })[] = [
  { name: '3x3', x: [2, 9, 8, 12], weight: [3, 3, 1, 12], padding: [1, 1], groups: 12 },
  { name: 'one row, one column', x: [1, 1, 1, 4], weight: [3, 3, 1, 4], padding: [1, 1], groups: 4 },
  { name: 'odd channels', x: [2, 5, 7, 5], weight: [3, 3, 1, 5], padding: [1, 1], groups: 5 },
  { name: 'stride 2', x: [2, 11, 14, 8], weight: [3, 3, 1, 8], stride: [2, 2], padding: [1, 1], groups: 8 },
  { name: 'dilation, asymmetric', x: [1, 12, 13, 8], weight: [2, 3, 1, 8], stride: [1, 2], padding: [2, 3], dilation: [2, 3], groups: 8 },
  { name: '7x7', x: [1, 10, 9, 8], weight: [7, 7, 1, 8], padding: [3, 3], groups: 8 },
  { name: 'many chunks', x: [3, 40, 41, 4], weight: [3, 3, 1, 4], padding: [1, 1], groups: 4 },
  { name: 'stride beyond the kernel', x: [1, 9, 9, 4], weight: [2, 2, 1, 4], stride: [3, 3], groups: 4, skip: ['input'] },
  { name: 'groups of 4', x: [2, 6, 7, 32], weight: [3, 3, 4, 32], padding: [1, 1], groups: 8, skip: ['weight'] },
  { name: 'groups of 8 in, 4 out', x: [1, 9, 8, 24], weight: [1, 3, 8, 12], padding: [0, 1], groups: 3, skip: ['weight'] },
  { name: 'groups of 4 in, 12 out', x: [1, 5, 5, 8], weight: [3, 3, 4, 24], padding: [1, 1], groups: 2, skip: ['weight'] },
  { name: 'a multiplier', x: [1, 5, 5, 4], weight: [3, 3, 1, 8], padding: [1, 1], groups: 4, skip: ['forward', 'input', 'weight'] },
  { name: 'one group', x: [1, 5, 5, 4], weight: [3, 3, 4, 4], padding: [1, 1], skip: ['forward', 'input', 'weight'] },
];

describe.each(CASES.map((c) => [c.name, c] as const))('%s', (_, c) => {
  const shape = convShape(c);
  const outShape = conv2dShape(shape.x, shape.weight, shape.options);
  const [x, w, dy] = [shape.x, shape.weight, outShape].map((s, i) => numbers(sizeOf(s), i + 1));
  const [out, dx, dw] = [outShape, shape.x, shape.weight].map((s) => new Float64Array(sizeOf(s)));
  everyProduct(shape, (i, k, o) => {
    out[o] += x[i] * w[k];
    dx[i] += dy[o] * w[k];
    dw[k] += dy[o] * x[i];
  });
  const tensors = (): Tensor[] => [[shape.x, x] as const, [shape.weight, w] as const, [outShape, dy] as const].map(([s, data]) => Tensor.fromArray(gpu, s, data));

  it('forward, input gradient and weight gradient', async () => {
    const [tx, tw, tdy] = tensors();
    const [forward, input, weight] = [depthwiseCandidates(gpu, shape), depthwiseInputCandidates(gpu, shape), depthwiseWeightCandidates(gpu, shape)];
    const offered = Object.entries({ forward, input, weight }).filter(([, list]) => list.length > 0).map(([name]) => name);
    expect(offered).toEqual(['forward', 'input', 'weight'].filter((name) => !c.skip?.includes(name)));
    // A software adapter takes half a second to compile one: every tile for the first shape, one for the others.
    const some = <T>(list: readonly T[]): readonly T[] => (c === CASES[0] ? list : list.slice(0, 1));
    const result = Tensor.empty(gpu, outShape);
    const n = outShape[3];
    const [scale, bias, residual] = [numbers(n, 4), numbers(n, 5), numbers(out.length, 6)];
    for (const { run } of some(forward)) {
      run({ x: tx, weight: tw, out: result });
      expectNear(await result.toArray(), out);
      const epilogue = { scale: Tensor.fromArray(gpu, [n], scale), bias: Tensor.fromArray(gpu, [n], bias), residual: Tensor.fromArray(gpu, outShape, residual) };
      run({ x: tx, weight: tw, out: result, ...epilogue, relu: true });
      expectNear(await result.toArray(), out.map((v, i) => Math.max(0, v * scale[i % n] + bias[i % n] + residual[i])));
    }
    const gradient = Tensor.empty(gpu, shape.x);
    for (const { run } of some(input)) {
      run({ dy: tdy, weight: tw, out: gradient });
      expectNear(await gradient.toArray(), dx);
    }
    const weights = Tensor.empty(gpu, shape.weight);
    for (const { run } of some(weight)) {
      run({ x: tx, dy: tdy, out: weights });
      expectNear(await weights.toArray(), dw);
    }
  });
});

it('takes f16 operands and sums in f32', async ({ skip }) => {
  skip(!gpu.device.features.has('shader-f16'), 'the adapter has no shader-f16');
  const each: readonly ConvCase[] = [
    { x: [2, 7, 6, 8], weight: [3, 3, 1, 8], padding: [1, 1], groups: 8 },
    { x: [1, 5, 6, 16], weight: [3, 3, 4, 16], padding: [1, 1], groups: 4 },
  ];
  for (const shape of each.map(convShape)) {
    const outShape = conv2dShape(shape.x, shape.weight, shape.options);
    const [x, w, dy] = [shape.x, shape.weight, outShape].map((s, i) => Tensor.fromArray(gpu, s, numbers(sizeOf(s), i + 1), 'f16'));
    const [hx, hw, hdy] = await Promise.all([x, w, dy].map((t) => t.toArray()));
    const [out, dx, dw] = [outShape, shape.x, shape.weight].map((s) => new Float64Array(sizeOf(s)));
    everyProduct(shape, (i, k, o) => {
      out[o] += hx[i] * hw[k];
      dx[i] += hdy[o] * hw[k];
      dw[k] += hdy[o] * hx[i];
    });
    const [result, gradient, weights] = [Tensor.empty(gpu, outShape, 'f16'), Tensor.empty(gpu, shape.x, 'f16'), Tensor.empty(gpu, shape.weight)];
    depthwiseCandidates(gpu, shape)[0].run({ x, weight: w, out: result });
    depthwiseInputCandidates(gpu, shape)[0].run({ dy, weight: w, out: gradient });
    expectNear(await result.toArray(), out, 1e-3);
    expectNear(await gradient.toArray(), dx, 1e-3);
    for (const { run } of depthwiseWeightCandidates(gpu, shape)) {
      run({ x, dy, out: weights });
      expectNear(await weights.toArray(), dw);
    }
  }
});

it('keeps NaN where it belongs', async () => {
  const shape = convShape({ x: [1, 7, 6, 4], weight: [3, 3, 1, 4], groups: 4 });
  const [x, w, dy] = [numbers(168, 1), numbers(36, 2), numbers(80, 3)];
  x[100] = NaN;
  x[167] = Infinity;
  const [out, dw] = [new Float64Array(80), new Float64Array(36)];
  everyProduct(shape, (i, k, o) => {
    out[o] += x[i] * w[k];
    dw[k] += x[i] * dy[o];
  });
  const [tx, tw, tdy, result, weights] = [
    Tensor.fromArray(gpu, shape.x, x), Tensor.fromArray(gpu, shape.weight, w), Tensor.fromArray(gpu, [1, 5, 4, 4], dy),
    Tensor.empty(gpu, [1, 5, 4, 4]), Tensor.empty(gpu, shape.weight),
  ];
  depthwiseCandidates(gpu, shape)[0].run({ x: tx, weight: tw, out: result, relu: true });
  expectNear(await result.toArray(), out.map((v) => (v < 0 ? 0 : v)));
  depthwiseWeightCandidates(gpu, shape)[0].run({ x: tx, dy: tdy, out: weights });
  expectNear(await weights.toArray(), dw);
});
