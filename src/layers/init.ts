/**
 * Initial values, as torch.nn.init has them, from a seeded generator on the host. Without a generator the values are
 * left undefined, for a state dict to fill: drawing those of a ResNet-152 takes seconds.
 */
import { Random } from '../random';
import type { Gpu } from '../gpu/gpu';
import { sizeOf } from '../hostTensor';
import { Tensor, type FloatDtype } from '../tensor';

/** He et al. (2015), normal, by fan-out, gain sqrt(2): torchvision's choice for convolutions. Shape HWIO. */
export function kaimingNormalFanOut(gpu: Gpu, shape: readonly number[], random: Random | undefined, dtype: FloatDtype = 'f32'): Tensor {
  if (random === undefined) return Tensor.empty(gpu, shape, dtype);
  const [kh, kw, , out] = shape;
  const std = Math.sqrt(2 / (kh * kw * out));
  return Tensor.fromArray(gpu, shape, Float32Array.from({ length: sizeOf(shape) }, () => std * random.normal()), dtype);
}

/** Uniform in ±1 / sqrt(fanIn): PyTorch's default for the weight and bias of a linear layer. */
export function uniformFanIn(gpu: Gpu, shape: readonly number[], fanIn: number, random: Random | undefined): Tensor {
  if (random === undefined) return Tensor.empty(gpu, shape);
  const bound = 1 / Math.sqrt(fanIn);
  return Tensor.fromArray(gpu, shape, Float32Array.from({ length: sizeOf(shape) }, () => (2 * random.next() - 1) * bound));
}

export function constant(gpu: Gpu, shape: readonly number[], value: number): Tensor {
  return Tensor.fromArray(gpu, shape, new Float32Array(sizeOf(shape)).fill(value));
}
