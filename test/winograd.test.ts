/** Winograd's convolution against sums in double precision, and against the direct method, over awkward shapes. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openGpu } from '../src/gpu/device';
import { Gpu, type AdapterFacts } from '../src/gpu/gpu';
import type { ConvOperands, ConvShape } from '../src/kernels/conv2d';
import { conv2dShape } from '../src/kernels/conv2dShape';
import { winogradCandidates, winogradInputCandidates } from '../src/kernels/winograd';
import { Tensor } from '../src/tensor';
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
];

const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

function shapeOf([images, height, width, channels, out, padding]: (typeof CASES)[number]): ConvShape {
  return {
    x: [images, height, width, channels],
    weight: [3, 3, channels, out],
    options: { stride: [1, 1], padding: [padding[0], padding[1]], dilation: [1, 1], groups: 1 },
  };
}

/** Calls `visit` with the flat indices of every product in the convolution: out += x * weight. */
function everyProduct({ x: [images, height, width, channels], weight: [, , , out], options }: ConvShape, visit: (x: number, w: number, o: number) => void): void {
  const [oh, ow] = [height, width].map((extent, axis) => extent + 2 * options.padding[axis] - 2);
  for (let n = 0; n < images; n++)
    for (let oy = 0; oy < oh; oy++)
      for (let ox = 0; ox < ow; ox++)
        for (let tap = 0; tap < 9; tap++) {
          const y = oy + Math.floor(tap / 3) - options.padding[0];
          const x = ox + (tap % 3) - options.padding[1];
          if (y < 0 || x < 0 || y >= height || x >= width) continue;
          for (let c = 0; c < channels; c++)
            for (let o = 0; o < out; o++) {
              visit(((n * height + y) * width + x) * channels + c, (tap * channels + c) * out + o, ((n * oh + oy) * ow + ox) * out + o);
            }
        }
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

  async function forward(id: string, shape: ConvShape, x: Float32Array, w: Float32Array, epilogue: Partial<ConvOperands> = {}): Promise<ArrayLike<number>> {
    const candidate = winogradCandidates(gpu, shape).find((c) => c.id === id);
    const out = Tensor.empty(gpu, conv2dShape(shape.x, shape.weight, shape.options));
    candidate?.run({ x: Tensor.fromArray(gpu, shape.x, x), weight: Tensor.fromArray(gpu, shape.weight, w), out, ...epilogue });
    return out.toArray();
  }

  async function inputGradient(id: string, shape: ConvShape, dy: Float32Array, w: Float32Array): Promise<ArrayLike<number>> {
    const candidate = winogradInputCandidates(gpu, shape).find((c) => c.id === id);
    const out = Tensor.empty(gpu, shape.x);
    const dyShape = conv2dShape(shape.x, shape.weight, shape.options);
    candidate?.run({ dy: Tensor.fromArray(gpu, dyShape, dy), weight: Tensor.fromArray(gpu, shape.weight, w), out });
    return out.toArray();
  }

  describe.each(['winograd 2x2', 'winograd 4x4'])('%s', (id) => {
    it.each(CASES)('%i images of %i x %i, %i -> %i channels, padding %o', async (...c) => {
      const shape = shapeOf(c);
      const { x, w, dy, out } = tensors(shape);
      const expected = new Float64Array(sizeOf(out));
      const gradient = new Float64Array(sizeOf(shape.x));
      everyProduct(shape, (i, k, o) => {
        expected[o] += x[i] * w[k];
        gradient[i] += dy[o] * w[k];
      });
      expectNear(await forward(id, shape, x, w), expected);
      expectNear(await inputGradient(id, shape, dy, w), gradient);

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
  });
});
