/** Convolution layer, `torch.nn.Conv2d`. */
import { conv2d, CONV_DEFAULTS, type ConvOptions } from '../autograd/ops/conv';
import { ShapeError } from '../errors';
import type { Random } from '../random';
import type { Gpu } from '../gpu/gpu';
import { cast } from '../kernels/cast';
import type { FloatDtype, Tensor } from '../tensor';
import { kaimingNormalFanOut, uniformFanIn } from './init';
import { Module, Parameter } from './module';
import { pair, type Pair } from './pair';

export interface Conv2dOptions {
  readonly kernelSize: Pair;
  readonly stride?: Pair;
  readonly padding?: Pair;
  readonly dilation?: Pair;
  readonly groups?: number;
  readonly bias?: boolean;
  /** Of the weight, and so of what the layer takes and gives; f16 cannot be trained. Default f32. */
  readonly dtype?: FloatDtype;
}

export class Conv2d extends Module {
  weight: Parameter;
  readonly bias: Parameter | undefined;
  readonly options: ConvOptions;

  /** Defaults: stride 1, padding 0, dilation 1, one group, no bias (every convolution of a ResNet is without). */
  constructor(gpu: Gpu, inChannels: number, outChannels: number, options: Conv2dOptions, random: Random | undefined) {
    super();
    const { groups = CONV_DEFAULTS.groups } = options;
    if (inChannels % groups !== 0 || outChannels % groups !== 0) {
      throw new ShapeError(`Conv2d: groups ${groups} must divide ${inChannels} input and ${outChannels} output channels`);
    }
    const [kh, kw] = pair(options.kernelSize);
    this.weight = new Parameter(kaimingNormalFanOut(gpu, [kh, kw, inChannels / groups, outChannels], random, options.dtype), 'conv');
    if (options.bias) this.bias = new Parameter(uniformFanIn(gpu, [outChannels], (kh * kw * inChannels) / groups, random));
    this.options = {
      stride: pair(options.stride ?? 1),
      padding: pair(options.padding ?? 0),
      dilation: pair(options.dilation ?? 1),
      groups,
    };
  }

  get dtype(): FloatDtype {
    return this.weight.dtype === 'f16' ? 'f16' : 'f32';
  }

  protected override convert(dtype: FloatDtype): void {
    if (dtype === this.dtype) return;
    const before = this.weight;
    this.weight = new Parameter(cast(before, dtype), 'conv');
    this.weight.requiresGrad = before.requiresGrad;
    before.dispose();
  }

  forward(x: Tensor): Tensor {
    return conv2d(x, this.weight, this.bias, this.options);
  }
}
