/** Convolution and its gradients against plain loops in double precision, over awkward shapes. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ShapeError } from '../src/errors';
import { openGpu } from '../src/gpu/device';
import { Gpu, type AdapterFacts } from '../src/gpu/gpu';
import { conv2d, conv2dBackwardInput, conv2dBackwardWeight } from '../src/kernels/conv2d/conv2d';
import { conv2dShape, type ConvOptions } from '../src/kernels/conv2d/shape';
import { Tensor } from '../src/tensor';
import type { ConvCase } from './support/convReference';
import { expectNear, numbers } from './support/numbers';

interface Case extends ConvCase {
  readonly name: string;
}

const CASES: readonly Case[] = [
  { name: '3x3', x: [1, 8, 8, 8], weight: [3, 3, 8, 8], padding: [1, 1] },
  { name: '3x3, several images and tiles', x: [3, 13, 11, 16], weight: [3, 3, 16, 24], padding: [1, 1] },
  { name: '3x3, stride 2, even', x: [2, 12, 12, 8], weight: [3, 3, 8, 16], stride: [2, 2], padding: [1, 1] },
  { name: '3x3, stride 2, odd', x: [2, 15, 9, 8], weight: [3, 3, 8, 16], stride: [2, 2], padding: [1, 1] },
  { name: '1x1', x: [2, 7, 7, 12], weight: [1, 1, 12, 20] },
  { name: '1x1, stride 2: rows that no tap reads', x: [2, 8, 8, 16], weight: [1, 1, 16, 32], stride: [2, 2] },
  { name: '1x1, padding 2: outputs that read nothing', x: [1, 5, 5, 4], weight: [1, 1, 4, 8], padding: [2, 2] },
  { name: 'the stem: 7x7, stride 2, 3 channels', x: [2, 33, 30, 3], weight: [7, 7, 3, 64], stride: [2, 2], padding: [3, 3] },
  { name: 'a stem of 3x3, stride 1', x: [2, 9, 10, 3], weight: [3, 3, 3, 16], padding: [1, 1] },
  { name: 'one channel in and out', x: [1, 9, 7, 1], weight: [3, 3, 1, 1], padding: [1, 1] },
  { name: 'one channel to many', x: [2, 28, 28, 1], weight: [5, 5, 1, 32], padding: [2, 2] },
  { name: 'channels not a multiple of 4', x: [2, 10, 9, 33], weight: [3, 3, 33, 18], padding: [1, 1] },
  { name: 'few odd channels', x: [2, 6, 6, 3], weight: [3, 3, 3, 5], padding: [1, 1] },
  { name: 'asymmetric kernel', x: [2, 10, 12, 8], weight: [1, 5, 8, 8], padding: [0, 2] },
  { name: 'asymmetric everything', x: [2, 14, 11, 6], weight: [3, 2, 6, 10], stride: [2, 3], padding: [2, 0], dilation: [1, 2] },
  { name: 'dilation 2', x: [1, 12, 12, 8], weight: [3, 3, 8, 8], padding: [2, 2], dilation: [2, 2] },
  { name: 'dilation 2, stride 2: residues without taps', x: [1, 13, 12, 8], weight: [3, 3, 8, 8], stride: [2, 2], padding: [2, 2], dilation: [2, 2] },
  { name: 'dilation 3, stride 2', x: [1, 16, 17, 4], weight: [3, 3, 4, 8], stride: [2, 2], padding: [1, 3], dilation: [3, 3] },
  { name: 'stride beyond the kernel', x: [1, 11, 11, 8], weight: [2, 2, 8, 8], stride: [4, 3] },
  { name: 'padding beyond the kernel', x: [1, 4, 4, 8], weight: [2, 2, 8, 8], padding: [3, 3] },
  { name: 'depthwise', x: [2, 9, 9, 12], weight: [3, 3, 1, 12], padding: [1, 1], groups: 12 },
  { name: 'depthwise with a multiplier, stride 2', x: [2, 9, 10, 6], weight: [3, 3, 1, 12], stride: [2, 2], padding: [1, 1], groups: 6 },
  { name: 'groups of 4 channels', x: [2, 9, 9, 32], weight: [3, 3, 4, 32], padding: [1, 1], groups: 8 },
  { name: 'groups of 3 in, 5 out', x: [1, 7, 7, 6], weight: [3, 3, 3, 10], padding: [1, 1], groups: 2 },
  { name: 'groups of 12 in, 12 out: tiles that end inside', x: [1, 7, 7, 24], weight: [3, 3, 12, 24], padding: [1, 1], groups: 2 },
  { name: 'one pixel', x: [5, 1, 1, 8], weight: [3, 3, 8, 8], padding: [1, 1] },
  { name: 'a kernel as large as the image', x: [2, 6, 5, 8], weight: [6, 5, 8, 4] },
  { name: 'a long row', x: [1, 1, 200, 8], weight: [1, 3, 8, 8], padding: [0, 1] },
  { name: 'deep and small', x: [1, 7, 7, 128], weight: [3, 3, 128, 64], padding: [1, 1] },
];

function optionsOf({ stride = [1, 1], padding = [0, 0], dilation = [1, 1], groups = 1 }: Case): ConvOptions {
  return { stride, padding, dilation, groups };
}

/** Calls `visit` with the flat indices of every product in the convolution: out += x * weight. */
function everyProduct(c: Case, visit: (x: number, weight: number, out: number) => void): void {
  const { stride, padding, dilation, groups } = optionsOf(c);
  const [, height, width, channels] = c.x;
  const [kh, kw, perGroup, out] = c.weight;
  const [images, oh, ow] = conv2dShape(c.x, c.weight, optionsOf(c));
  for (let n = 0; n < images; n++)
    for (let oy = 0; oy < oh; oy++)
      for (let ox = 0; ox < ow; ox++)
        for (let ky = 0; ky < kh; ky++)
          for (let kx = 0; kx < kw; kx++) {
            const y = oy * stride[0] + ky * dilation[0] - padding[0];
            const x = ox * stride[1] + kx * dilation[1] - padding[1];
            if (y < 0 || x < 0 || y >= height || x >= width) continue;
            for (let i = 0; i < perGroup; i++)
              for (let o = 0; o < out; o++) {
                const channel = Math.floor(o / (out / groups)) * perGroup + i;
                visit(((n * height + y) * width + x) * channels + channel, ((ky * kw + kx) * perGroup + i) * out + o, ((n * oh + oy) * ow + ox) * out + o);
              }
          }
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** As this adapter runs it, and as one without subgroups does. */
const WAYS: readonly [string, Partial<AdapterFacts>][] = [
  ['as this adapter does', {}],
  ['without sharing', { software: false, sharedLanes: 1 }],
];

describe.each(WAYS)('conv2d, %s', (_, facts) => {
  let gpu: Gpu;
  beforeAll(async () => {
    const opened = await openGpu();
    gpu = new Gpu(opened.device, { ...opened.adapter, ...facts });
  });
  afterAll(() => gpu.destroy());

  describe.each(CASES)('$name', (c) => {
    const options = optionsOf(c);
    const shape = conv2dShape(c.x, c.weight, options);
    const [x, w, dy] = [numbers(sizeOf(c.x), 1), numbers(sizeOf(c.weight), 2), numbers(sizeOf(shape), 3)];

    it('forward', async () => {
      const expected = new Float64Array(sizeOf(shape));
      everyProduct(c, (i, k, o) => (expected[o] += x[i] * w[k]));
      const out = conv2d(Tensor.fromArray(gpu, c.x, x), Tensor.fromArray(gpu, c.weight, w), options);
      expect(out.shape).toEqual(shape);
      expectNear(await out.toArray(), expected);
    });

    it('forward with bias, residual and relu', async () => {
      const bias = numbers(shape[3], 4);
      const expected = Float64Array.from(dy, (r, i) => r + bias[i % shape[3]]);
      everyProduct(c, (i, k, o) => (expected[o] += x[i] * w[k]));
      const out = conv2d(Tensor.fromArray(gpu, c.x, x), Tensor.fromArray(gpu, c.weight, w), options, {
        bias: Tensor.fromArray(gpu, [shape[3]], bias),
        residual: Tensor.fromArray(gpu, shape, dy),
        relu: true,
      });
      expectNear(await out.toArray(), expected.map((v) => Math.max(0, v)));
    });

    it('input gradient', async () => {
      const expected = new Float64Array(sizeOf(c.x));
      everyProduct(c, (i, k, o) => (expected[i] += dy[o] * w[k]));
      const dx = conv2dBackwardInput(Tensor.fromArray(gpu, shape, dy), Tensor.fromArray(gpu, c.weight, w), c.x, options);
      expect(dx.shape).toEqual(c.x);
      expectNear(await dx.toArray(), expected);
    });

    it('weight gradient', async () => {
      const expected = new Float64Array(sizeOf(c.weight));
      everyProduct(c, (i, k, o) => (expected[k] += dy[o] * x[i]));
      const dw = conv2dBackwardWeight(Tensor.fromArray(gpu, c.x, x), Tensor.fromArray(gpu, shape, dy), c.weight, options);
      expect(dw.shape).toEqual(c.weight);
      expectNear(await dw.toArray(), expected);
    });
  });

  it('gives the same bits for the same input', async () => {
    const c = CASES[1];
    const options = optionsOf(c);
    const shape = conv2dShape(c.x, c.weight, options);
    const run = async (): Promise<number[][]> => {
      const x = Tensor.fromArray(gpu, c.x, numbers(sizeOf(c.x), 1));
      const w = Tensor.fromArray(gpu, c.weight, numbers(sizeOf(c.weight), 2));
      const dy = Tensor.fromArray(gpu, shape, numbers(sizeOf(shape), 3));
      const results = [conv2d(x, w, options), conv2dBackwardInput(dy, w, c.x, options), conv2dBackwardWeight(x, dy, c.weight, options)];
      return Promise.all(results.map(async (t) => [...(await t.toArray())]));
    };
    expect(await run()).toEqual(await run());
  });

  it.each([
    ['NaN', NaN],
    ['infinity', Infinity],
  ])('keeps %s where it belongs', async (_, special) => {
    // Every product with the special value, and no other, may show it: padding is not multiplied.
    for (const c of CASES.slice(0, 9)) {
      const options = optionsOf(c);
      const shape = conv2dShape(c.x, c.weight, options);
      const [x, w, dy] = [numbers(sizeOf(c.x), 1), numbers(sizeOf(c.weight), 2), numbers(sizeOf(shape), 3)];
      x[0] = special; // a corner
      dy[0] = special;
      const [out, dx, dw] = [shape, c.x, c.weight].map((s) => new Float64Array(sizeOf(s)));
      everyProduct(c, (i, k, o) => {
        out[o] += x[i] * w[k];
        dx[i] += dy[o] * w[k];
        dw[k] += dy[o] * x[i];
      });
      const [tx, tw, tdy] = [Tensor.fromArray(gpu, c.x, x), Tensor.fromArray(gpu, c.weight, w), Tensor.fromArray(gpu, shape, dy)];
      expectNear(await conv2d(tx, tw, options).toArray(), out);
      expectNear(await conv2d(tx, tw, options, { relu: true }).toArray(), out.map((v) => (v < 0 ? 0 : v)));
      expectNear(await conv2dBackwardInput(tdy, tw, c.x, options).toArray(), dx);
      // On a GPU padding takes part in the weight gradient as zeros, so that taps outside the image may be NaN as well.
      const gradient = await conv2dBackwardWeight(tx, tdy, c.weight, options).toArray();
      if (gpu.adapter.software) expectNear(gradient, dw);
      else expectNear(gradient, dw.map((v, i) => (Number.isFinite(v) && !Number.isNaN(gradient[i]) ? v : gradient[i])));
      expect(dw.every((v, i) => Number.isFinite(v) || !Number.isFinite(gradient[i]))).toBe(true);
    }
  });

  it('names the rule and the shapes when they do not fit', () => {
    const options: ConvOptions = { stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1 };
    expect(() => conv2dShape([1, 8, 8], [3, 3, 8, 8], options)).toThrow(/input must be \[N, H, W, C\], got input \[1, 8, 8\]/);
    expect(() => conv2dShape([1, 8, 8, 6], [3, 3, 8, 8], options)).toThrow(/6 input channels are not 1 group\(s\) of the weight's 8/);
    expect(() => conv2dShape([1, 8, 8, 8], [3, 3, 4, 9], { ...options, groups: 2 })).toThrow(/9 output channels do not divide into 2 groups/);
    expect(() => conv2dShape([1, 2, 8, 8], [3, 3, 8, 8], options)).toThrow(/kernel does not fit/);
    expect(() => conv2dShape([1, 8, 8, 8], [3, 3, 8, 8], { ...options, stride: [0, 1] })).toThrow(ShapeError);
    const [x, w] = [Tensor.empty(gpu, [1, 8, 8, 8]), Tensor.empty(gpu, [3, 3, 8, 8])];
    expect(() => conv2d(x, w, options, { bias: x })).toThrow(/bias must be \[8\]/);
    expect(() => conv2d(x, w, options, { residual: x })).toThrow(/residual must have the output's shape \[1, 6, 6, 8\]/);
    expect(() => conv2dBackwardInput(x, w, [1, 8, 8, 8], options)).toThrow(/gradient must have its shape \[1, 6, 6, 8\]/);
  });
});
