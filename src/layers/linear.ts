/** Fully connected layer, `torch.nn.Linear`. */
import { linear } from '../autograd/ops/linear';
import type { Random } from '../random';
import type { Gpu } from '../gpu/gpu';
import type { Tensor } from '../tensor';
import { uniformFanIn } from './init';
import { Module, Parameter } from './module';

export class Linear extends Module {
  /** [out, in] */
  readonly weight: Parameter;
  readonly bias: Parameter | undefined;

  constructor(gpu: Gpu, inFeatures: number, outFeatures: number, random: Random | undefined, { bias = true }: { bias?: boolean } = {}) {
    super();
    this.weight = new Parameter(uniformFanIn(gpu, [outFeatures, inFeatures], inFeatures, random));
    if (bias) this.bias = new Parameter(uniformFanIn(gpu, [outFeatures], inFeatures, random));
  }

  forward(x: Tensor): Tensor {
    return linear(x, this.weight, this.bias);
  }
}
