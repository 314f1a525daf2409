/** Winograd's convolution against sums in double precision, and against the direct method, over awkward shapes. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openGpu } from '../src/gpu/device';
import { Gpu, type AdapterFacts } from '../src/gpu/gpu';
import type { ConvOperands, ConvShape } from '../src/kernels/conv2d/conv2d';
import { directCandidates, directInputCandidates, directWeightCandidates } from '../src/kernels/conv2d/direct';
import { conv2dShape } from '../src/kernels/conv2d/shape';
import { winogradCandidates, winogradInputCandidates, winogradPays } from '../src/kernels/conv2d/winograd';
import { winogradWeightCandidates } from '../src/kernels/conv2d/winogradWeight';
import { capture, scope, Tensor } from '../src/tensor';
import { everyProduct } from './support/convReference';
import { expectNear, numbers } from './support/numbers';

/** Images, height, width, channels in and out, padding. */
const CASES: readonly (readonly [number, number, number, number, number, readonly [number, number]])[] = [
  [1, 1, 1, 8, 8, [1, 1]], // one pixel
  [1, 3, 3, 4, 4, [0, 0]], // one output
  [2, 3, 4, 4, 8, [1, 1]], // a tile of 4 less 1, and a tile
  [1, 4, 5, 8, 4, [1, 1]], // a tile, and one pixel of another
  [3, 6, 6, 8, 16, [0, 0]],
  [2, 7, 5, 3, 5, [1, 1]], // channels that are no columns of four
  [1, 13, 11, 33, 18, [1, 1]],
  [2, 5, 8, 6, 4, [1, 1]], // columns of four on one side only
  [2, 5, 8, 4, 6, [1, 1]],
  [1, 4, 6, 1, 1, [2, 2]], // padding as wide as the kernel allows
  [2, 5, 4, 4, 7, [0, 2]],
  [1, 2, 3, 4, 4, [3, 4]], // outputs that read nothing but padding
  [1, 17, 19, 23, 29, [1, 1]],
  [3, 14, 14, 64, 32, [1, 1]],
  [1, 3, 4, 412, 410, [1, 1]], // weights that are transformed in parts
];

const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

function shapeOf([images, height, width, channels, out, padding]: (typeof CASES)[number]): ConvShape {
  return {
    x: [images, height, width, channels],
    weight: [3, 3, channels, out],
    options: { stride: [1, 1], padding: [padding[0], padding[1]], dilation: [1, 1], groups: 1 },
  };
}

/** As this adapter runs the products, and as a GPU does. */
const WAYS: readonly [string, Partial<AdapterFacts>][] = [
  ['as this adapter does', {}],
  ['without sharing', { software: false, sharedLanes: 1 }],
];

describe.each(WAYS)('winograd, %s', (_, facts) => {
  let gpu: Gpu;
  beforeAll(async () => {
    const opened = await openGpu();
    gpu = new Gpu(opened.device, { ...opened.adapter, ...facts });
  });
  afterAll(() => gpu.destroy());

  const tensors = (shape: ConvShape): { x: Float32Array; w: Float32Array; dy: Float32Array; out: readonly number[] } => {
    const out = conv2dShape(shape.x, shape.weight, shape.options);
    return { x: numbers(sizeOf(shape.x), 1), w: numbers(sizeOf(shape.weight), 2), dy: numbers(sizeOf(out), 3), out };
  };

  type Numbers = ArrayLike<number>;

  async function forward(id: string, shape: ConvShape, x: Float32Array, w: Float32Array, epilogue: Partial<ConvOperands> = {}): Promise<Numbers> {
    const candidate = winogradCandidates(gpu, shape).find((c) => c.id === id);
    const out = Tensor.empty(gpu, conv2dShape(shape.x, shape.weight, shape.options));
    candidate?.run({ x: Tensor.fromArray(gpu, shape.x, x), weight: Tensor.fromArray(gpu, shape.weight, w), out, ...epilogue });
    return out.toArray();
  }

  async function inputGradient(id: string, shape: ConvShape, dy: Float32Array, w: Float32Array): Promise<Numbers> {
    const candidate = winogradInputCandidates(gpu, shape).find((c) => c.id === id);
    const out = Tensor.empty(gpu, shape.x);
    const dyShape = conv2dShape(shape.x, shape.weight, shape.options);
    candidate?.run({ dy: Tensor.fromArray(gpu, dyShape, dy), weight: Tensor.fromArray(gpu, shape.weight, w), out });
    return out.toArray();
  }

  async function weightGradient(id: string, shape: ConvShape, x: Float32Array, dy: Float32Array): Promise<Numbers> {
    const candidate = winogradWeightCandidates(gpu, shape).find((c) => c.id === id);
    const out = Tensor.empty(gpu, shape.weight);
    const dyShape = conv2dShape(shape.x, shape.weight, shape.options);
    candidate?.run({ x: Tensor.fromArray(gpu, shape.x, x), dy: Tensor.fromArray(gpu, dyShape, dy), out });
    return out.toArray();
  }

  describe.each(['winograd 2x2', 'winograd 4x4'])('%s', (id) => {
    it.each(CASES)('%i images of %i x %i, %i -> %i channels, padding %o', async (...c) => {
      const shape = shapeOf(c);
      const { x, w, dy, out } = tensors(shape);
      const expected = new Float64Array(sizeOf(out));
      const gradient = new Float64Array(sizeOf(shape.x));
      const weights = new Float64Array(sizeOf(shape.weight));
      everyProduct(shape, (i, k, o) => {
        expected[o] += x[i] * w[k];
        gradient[i] += dy[o] * w[k];
        weights[k] += x[i] * dy[o];
      });
      expectNear(await forward(id, shape, x, w), expected);
      expectNear(await inputGradient(id, shape, dy, w), gradient);
      expectNear(await weightGradient(id, shape, x, dy), weights);

      const columns = out[3];
      const [scale, bias] = [numbers(columns, 4), numbers(columns, 5)];
      const fused = await forward(id, shape, x, w, {
        scale: Tensor.fromArray(gpu, [columns], scale),
        bias: Tensor.fromArray(gpu, [columns], bias),
        residual: Tensor.fromArray(gpu, out, dy),
        relu: true,
      });
      expectNear(fused, expected.map((v, i) => Math.max(0, v * scale[i % columns] + bias[i % columns] + dy[i])));
    });

    it('cuts many tiles into several dispatches', async () => {
      const shape = shapeOf([1, 113, 117, 64, 60, [1, 1]]);
      const { x, w, dy, out } = tensors(shape);
      const [tx, tw, tdy] = [Tensor.fromArray(gpu, shape.x, x), Tensor.fromArray(gpu, shape.weight, w), Tensor.fromArray(gpu, out, dy)];
      const [direct, gradient, weights] = [out, shape.x, shape.weight].map((extents) => Tensor.empty(gpu, extents));
      directCandidates(gpu, shape)[0].run({ x: tx, weight: tw, out: direct });
      directInputCandidates(gpu, shape)[0].run({ dy: tdy, weight: tw, out: gradient });
      expectNear(await forward(id, shape, x, w), await direct.toArray());
      expectNear(await inputGradient(id, shape, dy, w), await gradient.toArray());
      directWeightCandidates(gpu, shape)[0].run({ x: tx, dy: tdy, out: weights });
      expectNear(await weightGradient(id, shape, x, dy), await weights.toArray(), 1e-5);
    });

    it('loses no more digits than plain sums of 512 channels do', async () => {
      const shape = shapeOf([1, 4, 4, 512, 8, [1, 1]]);
      const { x, w, out } = tensors(shape);
      const expected = new Float64Array(sizeOf(out));
      everyProduct(shape, (i, k, o) => (expected[o] += x[i] * w[k]));
      expectNear(await forward(id, shape, x, w), expected, 5e-6);
    });

    it.each([NaN, Infinity])('shows %s wherever the direct method does', async (special) => {
      const shape = shapeOf([2, 9, 10, 6, 5, [1, 1]]);
      const { x, w, dy } = tensors(shape);
      x[(4 * 10 + 5) * 6 + 2] = special;
      dy[(4 * 10 + 5) * 5 + 2] = special;
      const [out, dx, dw] = [await forward(id, shape, x, w), await inputGradient(id, shape, dy, w), await weightGradient(id, shape, x, dy)];
      const weights = new Float64Array(dw.length);
      everyProduct(shape, (i, k, o) => (weights[k] += x[i] * dy[o]));
      expect([...weights.keys()].filter((i) => !Number.isFinite(weights[i]) && Number.isFinite(dw[i]))).toEqual([]);
      const expected = new Float64Array(out.length);
      const gradient = new Float64Array(dx.length);
      everyProduct(shape, (i, k, o) => {
        expected[o] += x[i] * w[k];
        gradient[i] += dy[o] * w[k];
      });
      for (const [got, want] of [[out, expected], [dx, gradient]] as const) {
        const hidden = [...want.keys()].filter((i) => !Number.isFinite(want[i]) && Number.isFinite(got[i]));
        expect(hidden).toEqual([]);
        // The other image is none of its business.
        expect([...want.keys()].slice(want.length / 2).filter((i) => !Number.isFinite(got[i]))).toEqual([]);
      }
      const relu = await forward(id, shape, x, w, { relu: true });
      expect([...expected.keys()].filter((i) => Number.isNaN(expected[i]) && !Number.isNaN(relu[i]))).toEqual([]);
    });

    it('gives the same bits for the same input', async () => {
      const shape = shapeOf([2, 13, 11, 20, 12, [1, 1]]);
      const { x, w } = tensors(shape);
      expect(await forward(id, shape, x, w)).toEqual(await forward(id, shape, x, w));
    });
  });

  describe('transformed weights', () => {
    const shape = shapeOf([1, 6, 7, 16, 12, [1, 1]]);
    const { x, w, out } = tensors(shape);
    const expectedFor = (weight: Float32Array): Float64Array => {
      const expected = new Float64Array(sizeOf(out));
      everyProduct(shape, (i, k, o) => (expected[o] += x[i] * weight[k]));
      return expected;
    };
    const convolve = (tx: Tensor, tw: Tensor, frozen = true): Tensor => {
      const target = Tensor.empty(gpu, out);
      winogradCandidates(gpu, { ...shape, frozen })[0].run({ x: tx, weight: tw, out: target });
      return target;
    };
    /** Live bytes that `count` calls leave behind. */
    const left = (count: number, tx: Tensor, tw: Tensor, frozen = true): number => {
      const before = gpu.memory().liveBytes;
      for (let i = 0; i < count; i++) scope(gpu, () => void convolve(tx, tw, frozen));
      return gpu.memory().liveBytes - before;
    };

    it('are kept from the second call on, and made again when the weight has changed', async () => {
      const [tx, tw] = [Tensor.fromArray(gpu, shape.x, x), Tensor.fromArray(gpu, shape.weight, w)];
      expect(left(1, tx, tw)).toBe(0);
      expect(left(1, tx, tw)).toBeGreaterThan(0);
      expect(left(3, tx, tw)).toBe(0);
      expectNear(await convolve(tx, tw).toArray(), expectedFor(w));
      const other = numbers(w.length, 9);
      tw.write(other);
      expectNear(await convolve(tx, tw).toArray(), expectedFor(other));
      expect(left(2, tx, tw)).toBe(0);
    });

    it('go with the weight', () => {
      const tx = Tensor.fromArray(gpu, shape.x, x);
      const before = gpu.memory().liveBytes;
      const tw = Tensor.fromArray(gpu, shape.weight, w);
      expect(left(2, tx, tw)).toBeGreaterThan(0);
      tw.dispose();
      expect(gpu.memory().liveBytes).toBe(before);
    });

    it('are not kept while the weight trains, or changes with every call', () => {
      const [tx, tw] = [Tensor.fromArray(gpu, shape.x, x), Tensor.fromArray(gpu, shape.weight, w)];
      expect(left(4, tx, tw, false)).toBe(0);
      for (let i = 0; i < 4; i++) {
        tw.write(numbers(w.length, i));
        expect(left(1, tx, tw)).toBe(0);
      }
    });

    it.each([false, true])('are right in a captured function whose weight changes between replays (frozen: %s)', async (frozen) => {
      const [tx, tw] = [Tensor.fromArray(gpu, shape.x, x), Tensor.fromArray(gpu, shape.weight, w)];
      const captured = await capture(gpu, () => convolve(tx, tw, frozen));
      expectNear(await captured.replay().toArray(), expectedFor(w));
      const other = numbers(w.length, 9);
      tw.write(other);
      expectNear(await captured.replay().toArray(), expectedFor(other));
    });
  });

  it('takes 3 x 3 kernels with stride, dilation and groups of 1 only', () => {
    const shape = shapeOf([1, 8, 8, 8, 8, [1, 1]]);
    expect(winogradCandidates(gpu, shape).map(({ id }) => id).sort()).toEqual(['winograd 2x2', 'winograd 4x4']);
    const others: ConvShape[] = [
      { ...shape, options: { ...shape.options, stride: [1, 2] } },
      { ...shape, options: { ...shape.options, dilation: [2, 1] } },
      { ...shape, weight: [3, 3, 4, 8], options: { ...shape.options, groups: 2 } },
      { ...shape, weight: [3, 1, 8, 8] },
      { ...shape, weight: [5, 5, 8, 8] },
    ];
    for (const other of others) {
      expect([...winogradCandidates(gpu, other), ...winogradInputCandidates(gpu, other)]).toEqual([]);
      expect(winogradPays(gpu, other, 'forward')).toBe(false);
    }
  });

  it('expects to pay for deep convolutions of many pixels, and not for few', () => {
    for (const pass of ['forward', 'input'] as const) {
      expect(winogradPays(gpu, shapeOf([8, 14, 14, 256, 256, [1, 1]]), pass)).toBe(true);
      expect(winogradPays(gpu, shapeOf([1, 224, 224, 3, 8, [1, 1]]), pass)).toBe(false);
      expect(winogradPays(gpu, shapeOf([1, 3, 3, 512, 512, [1, 1]]), pass)).toBe(false);
    }
  });
});
