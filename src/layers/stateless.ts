/** Layers without parameters, named and ordered as in torch.nn: activations, pooling, flatten, dropout. */
import { dropout, gelu, relu, sigmoid, tanh } from '../autograd/ops/elementwise';
import { adaptiveAvgPool2d, avgPool2d, maxPool2d, type PoolOptions } from '../autograd/ops/pool';
import { flatten } from '../autograd/ops/shape';
import { draw } from '../autograd/recompute';
import { UsageError } from '../errors';
import type { Tensor } from '../tensor';
import { Module } from './module';
import { pair, type Pair } from './pair';

export class ReLU extends Module {
  forward(x: Tensor): Tensor {
    return relu(x);
  }
}

export class Sigmoid extends Module {
  forward(x: Tensor): Tensor {
    return sigmoid(x);
  }
}

export class Tanh extends Module {
  forward(x: Tensor): Tensor {
    return tanh(x);
  }
}

/** The exact form, with erf. */
export class GELU extends Module {
  forward(x: Tensor): Tensor {
    return gelu(x);
  }
}

/** Joins all axes from `startDim` (default 1) on. */
export class Flatten extends Module {
  readonly startDim: number;

  constructor(startDim = 1) {
    super();
    this.startDim = startDim;
  }

  forward(x: Tensor): Tensor {
    return flatten(x, this.startDim);
  }
}

export interface PoolLayerOptions {
  /** Default: the kernel size. */
  readonly stride?: Pair;
  /** Default 0. */
  readonly padding?: Pair;
  /** Default false. */
  readonly ceilMode?: boolean;
}

function poolOptions(kernelSize: Pair, { stride = kernelSize, padding = 0, ceilMode = false }: PoolLayerOptions): PoolOptions {
  return { kernelSize: pair(kernelSize), stride: pair(stride), padding: pair(padding), ceilMode };
}

export class MaxPool2d extends Module {
  readonly options: PoolOptions;

  constructor(kernelSize: Pair, options: PoolLayerOptions = {}) {
    super();
    this.options = poolOptions(kernelSize, options);
  }

  forward(x: Tensor): Tensor {
    return maxPool2d(x, this.options);
  }
}

export class AvgPool2d extends Module {
  readonly options: PoolOptions;

  /** `countIncludePad`, default true: padding counts as zeros in the mean. */
  constructor(kernelSize: Pair, { countIncludePad = true, ...options }: PoolLayerOptions & { readonly countIncludePad?: boolean } = {}) {
    super();
    this.options = { ...poolOptions(kernelSize, options), countIncludePad };
  }

  forward(x: Tensor): Tensor {
    return avgPool2d(x, this.options);
  }
}

export class AdaptiveAvgPool2d extends Module {
  readonly outputSize: readonly [number, number];

  constructor(outputSize: Pair) {
    super();
    this.outputSize = pair(outputSize);
  }

  forward(x: Tensor): Tensor {
    return adaptiveAvgPool2d(x, this.outputSize);
  }
}

/** In training mode zeroes elements with probability `p`; each call draws another mask, a function of `seed` and the call's number. */
export class Dropout extends Module {
  readonly p: number;
  readonly #seed: number;
  #calls = 0;

  /** @throws UsageError unless 0 <= p < 1. Defaults: p 0.5, seed 0. */
  constructor(p = 0.5, seed = 0) {
    super();
    if (!(p >= 0 && p < 1)) throw new UsageError(`Dropout: p must be at least 0 and below 1, got ${p}`);
    this.p = p;
    this.#seed = seed;
  }

  forward(x: Tensor): Tensor {
    if (!this.training || this.p === 0) return x;
    // A captured function draws before each replay, and where it runs again in the backward it sees the same draw.
    const drawn = draw(() => {
      const now = { seed: 0 };
      x.gpu.everyStep(() => {
        // Multiplying by an odd constant spreads consecutive calls over all seeds.
        now.seed = (this.#seed + Math.imul(this.#calls++, 0x9e3779b1)) >>> 0;
      });
      return now;
    });
    return dropout(x, this.p, () => drawn.seed);
  }
}
