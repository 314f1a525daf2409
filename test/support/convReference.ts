/** Convolution and its gradients by plain loops in double precision. */
import type { ConvShape } from '../../src/kernels/conv2d/conv2d';
import { conv2dShape } from '../../src/kernels/conv2d/shape';

export interface ConvCase {
  readonly x: readonly [number, number, number, number];
  readonly weight: readonly [number, number, number, number];
  readonly stride?: readonly [number, number];
  readonly padding?: readonly [number, number];
  readonly dilation?: readonly [number, number];
  readonly groups?: number;
}

export function convShape({ x, weight, stride = [1, 1], padding = [0, 0], dilation = [1, 1], groups = 1 }: ConvCase): ConvShape {
  return { x, weight, options: { stride, padding, dilation, groups } };
}

/** Calls `visit` with the flat indices of every product of the convolution: out += x * weight. */
export function everyProduct({ x, weight, options }: ConvShape, visit: (x: number, weight: number, out: number) => void): void {
  const { stride, padding, dilation, groups } = options;
  const [images, oh, ow, out] = conv2dShape(x, weight, options);
  const [, height, width, channels] = x;
  const [kh, kw, perGroup] = weight;
  for (let n = 0; n < images; n++)
    for (let oy = 0; oy < oh; oy++)
      for (let ox = 0; ox < ow; ox++)
        for (let ky = 0; ky < kh; ky++)
          for (let kx = 0; kx < kw; kx++) {
            const [y, xx] = [oy * stride[0] + ky * dilation[0] - padding[0], ox * stride[1] + kx * dilation[1] - padding[1]];
            if (y < 0 || xx < 0 || y >= height || xx >= width) continue;
            for (let c = 0; c < perGroup; c++)
              for (let o = 0; o < out; o++) {
                const source = Math.floor(o / (out / groups)) * perGroup + c;
                visit(((n * height + y) * width + xx) * channels + source, ((ky * kw + kx) * perGroup + c) * out + o, ((n * oh + oy) * ow + ox) * out + o);
              }
          }
}
