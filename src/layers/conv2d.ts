/** Convolution layer, `torch.nn.Conv2d`. */
import { conv2d, CONV_DEFAULTS, type ConvOptions } from '../autograd/ops/conv';
import { ShapeError } from '../errors';
import type { Random } from '../random';
import type { Gpu } from '../gpu/gpu';
import type { Tensor } from '../tensor';
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
}

export class Conv2d extends Module {
  readonly weight: Parameter;
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
    this.weight = new Parameter(kaimingNormalFanOut(gpu, [kh, kw, inChannels / groups, outChannels], random), 'conv');
    if (options.bias) this.bias = new Parameter(uniformFanIn(gpu, [outChannels], (kh * kw * inChannels) / groups, random));
    this.options = {
      stride: pair(options.stride ?? 1),
      padding: pair(options.padding ?? 0),
      dilation: pair(options.dilation ?? 1),
      groups,
    };
  }

  forward(x: Tensor): Tensor {
    return conv2d(x, this.weight, this.bias, this.options);
  }
}
