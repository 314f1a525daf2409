/**
 * ResNet (He et al., 2016), ResNeXt (Xie et al., 2017) and Wide ResNet (Zagoruyko and Komodakis, 2016) as torchvision
 * defines them; parameter names are torchvision's. Images are NHWC.
 */
import { adaptiveAvgPool2d, maxPool2d } from '../autograd/ops/pool';
import { cast, flatten } from '../autograd/ops/shape';
import { wantsGrad } from '../autograd/op';
import { recompute } from '../autograd/recompute';
import { Random } from '../random';
import { ShapeError, UsageError, formatShape, suggest } from '../errors';
import type { Gpu } from '../gpu/gpu';
import { BatchNorm2d } from '../layers/batchNorm2d';
import { Conv2d } from '../layers/conv2d';
import { convBatchNorm } from '../layers/convBatchNorm';
import { Linear } from '../layers/linear';
import { Module } from '../layers/module';
import type { FloatDtype, Tensor } from '../tensor';

interface Architecture {
  readonly block: 'basic' | 'bottleneck';
  /** Blocks in each of the four stages. */
  readonly depths: readonly [number, number, number, number];
  readonly groups?: number;
  /** Channels of a bottleneck's 3x3 convolution, for a stage of 64. */
  readonly widthPerGroup?: number;
}

/** torchvision's names. */
export const ARCHITECTURES = {
  resnet18: { block: 'basic', depths: [2, 2, 2, 2] },
  resnet34: { block: 'basic', depths: [3, 4, 6, 3] },
  resnet50: { block: 'bottleneck', depths: [3, 4, 6, 3] },
  resnet101: { block: 'bottleneck', depths: [3, 4, 23, 3] },
  resnet152: { block: 'bottleneck', depths: [3, 8, 36, 3] },
  resnext50_32x4d: { block: 'bottleneck', depths: [3, 4, 6, 3], groups: 32, widthPerGroup: 4 },
  wide_resnet50_2: { block: 'bottleneck', depths: [3, 4, 6, 3], widthPerGroup: 128 },
} as const satisfies Record<string, Architecture>;

export type ArchitectureName = keyof typeof ARCHITECTURES;

/** Checks a name. @throws UsageError with the nearest known one. */
export function architectureName(name: string): ArchitectureName {
  if (Object.hasOwn(ARCHITECTURES, name)) return name as ArchitectureName;
  throw new UsageError(`no model is called '${name}'.${suggest(name, Object.keys(ARCHITECTURES))}`);
}

export interface ResNetOptions {
  /** Default 1000. */
  readonly numClasses?: number;
  /** Channels of the stem and the first stage. Default 64. */
  readonly width?: number;
  /** For the initial weights. Default 0. */
  readonly seed?: number;
  /** False leaves weights undefined, for `loadStateDict` to fill at once. Default true. */
  readonly initialise?: boolean;
  /** In which the convolutions are kept and computed; f16 is frozen (see `Module.to`). Default f32. */
  readonly dtype?: FloatDtype;
  /** See `ResNet.recompute`. Default false. */
  readonly recompute?: Recompute;
}

/** Parts of the trunk that work at one resolution, in order. */
export const STAGES = ['stem', 'layer1', 'layer2', 'layer3', 'layer4'] as const;

export type StageName = (typeof STAGES)[number];

/** All blocks, none, or those under these names: `stem`, `layer1`, `layer3.2`, … */
export type Recompute = boolean | readonly string[];

/** What both kinds of block are made from. */
interface BlockOptions {
  readonly gpu: Gpu;
  readonly inChannels: number;
  readonly planes: number;
  readonly stride: number;
  readonly groups: number;
  readonly widthPerGroup: number;
  readonly random: Random | undefined;
  readonly dtype: FloatDtype;
}

/** The 1x1 convolution and batch norm on a shortcut whose shape changes: `downsample.0`, `downsample.1`. */
function downsampleOf({ gpu, inChannels, stride, random, dtype }: BlockOptions, outChannels: number): readonly [Conv2d, BatchNorm2d] | undefined {
  if (stride === 1 && inChannels === outChannels) return undefined;
  return [new Conv2d(gpu, inChannels, outChannels, { kernelSize: 1, stride, dtype }, random), new BatchNorm2d(gpu, outChannels)];
}

function shortcut(x: Tensor, downsample: readonly [Conv2d, BatchNorm2d] | undefined): Tensor {
  return downsample ? convBatchNorm(downsample[0], downsample[1], x) : x;
}

class BasicBlock extends Module {
  static readonly expansion = 1;
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly downsample: readonly [Conv2d, BatchNorm2d] | undefined;

  constructor(options: BlockOptions) {
    super();
    const { gpu, inChannels, planes, stride, random, dtype } = options;
    this.conv1 = new Conv2d(gpu, inChannels, planes, { kernelSize: 3, stride, padding: 1, dtype }, random);
    this.bn1 = new BatchNorm2d(gpu, planes);
    this.conv2 = new Conv2d(gpu, planes, planes, { kernelSize: 3, padding: 1, dtype }, random);
    this.bn2 = new BatchNorm2d(gpu, planes);
    this.downsample = downsampleOf(options, planes);
  }

  forward(input: Tensor): Tensor {
    const x = cast(input, this.conv1.dtype);
    const middle = convBatchNorm(this.conv1, this.bn1, x, { relu: true });
    const residual = shortcut(x, this.downsample);
    const y = convBatchNorm(this.conv2, this.bn2, middle, { residual, relu: true });
    discard(y, ...made(input, x, middle, residual));
    return y;
  }
}

class Bottleneck extends Module {
  static readonly expansion = 4;
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly conv3: Conv2d;
  readonly bn3: BatchNorm2d;
  readonly downsample: readonly [Conv2d, BatchNorm2d] | undefined;

  constructor(options: BlockOptions) {
    super();
    const { gpu, inChannels, planes, stride, groups, widthPerGroup, random, dtype } = options;
    const width = Math.floor(planes * (widthPerGroup / 64)) * groups;
    if (width === 0) throw new UsageError(`a stage of ${planes} channels is too narrow for ${groups} groups; use a width of at least ${Math.ceil(64 / widthPerGroup)}`);
    const outChannels = planes * Bottleneck.expansion;
    this.conv1 = new Conv2d(gpu, inChannels, width, { kernelSize: 1, dtype }, random);
    this.bn1 = new BatchNorm2d(gpu, width);
    this.conv2 = new Conv2d(gpu, width, width, { kernelSize: 3, stride, padding: 1, groups, dtype }, random);
    this.bn2 = new BatchNorm2d(gpu, width);
    this.conv3 = new Conv2d(gpu, width, outChannels, { kernelSize: 1, dtype }, random);
    this.bn3 = new BatchNorm2d(gpu, outChannels);
    this.downsample = downsampleOf(options, outChannels);
  }

  forward(input: Tensor): Tensor {
    const x = cast(input, this.conv1.dtype);
    const narrow = convBatchNorm(this.conv1, this.bn1, x, { relu: true });
    const middle = convBatchNorm(this.conv2, this.bn2, narrow, { relu: true });
    const residual = shortcut(x, this.downsample);
    const y = convBatchNorm(this.conv3, this.bn3, middle, { residual, relu: true });
    discard(y, ...made(input, x, narrow, middle, residual));
    return y;
  }
}

/** Gives intermediate results back at once where no gradient will ask for them. */
function discard(output: Tensor, ...used: Tensor[]): void {
  if (wantsGrad(output)) return;
  for (const tensor of used) if (!wantsGrad(tensor)) tensor.dispose();
}

/** Of these tensors, each once, those that are not the input. */
function made(input: Tensor, ...tensors: Tensor[]): Tensor[] {
  return [...new Set(tensors)].filter((tensor) => tensor !== input);
}

export class ResNet extends Module {
  readonly architecture: ArchitectureName;
  readonly width: number;
  readonly gpu: Gpu;
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly layer1: readonly Module[];
  readonly layer2: readonly Module[];
  readonly layer3: readonly Module[];
  readonly layer4: readonly Module[];
  fc: Linear;
  /**
   * Blocks that keep only their input for the backward and run again there: less memory, about a third more time, the
   * same bits. Has no effect where no gradient flows.
   */
  recompute: Recompute;
  readonly #seed: number;

  constructor(gpu: Gpu, name: ArchitectureName, { numClasses = 1000, width = 64, seed = 0, initialise = true, dtype = 'f32', recompute: again = false }: ResNetOptions = {}) {
    super();
    if (!Number.isInteger(numClasses) || numClasses < 1) throw new UsageError(`${name}: numClasses must be a positive integer, got ${numClasses}`);
    if (!Number.isInteger(width) || width < 1) throw new UsageError(`${name}: width must be a positive integer, got ${width}`);
    this.architecture = name;
    this.width = width;
    this.gpu = gpu;
    this.#seed = seed;
    this.recompute = again;
    const { block, depths, groups = 1, widthPerGroup = 64 }: Architecture = ARCHITECTURES[name];
    const Block = block === 'basic' ? BasicBlock : Bottleneck;
    const random = initialise ? new Random(seed) : undefined;
    let inChannels = width;
    const stage = (index: number): Module[] => {
      const planes = width * 2 ** index;
      return Array.from({ length: depths[index] }, (_, i) => {
        const stride = i === 0 && index > 0 ? 2 : 1;
        const made = new Block({ gpu, inChannels, planes, stride, groups, widthPerGroup, random, dtype });
        inChannels = planes * Block.expansion;
        return made;
      });
    };
    this.conv1 = new Conv2d(gpu, 3, width, { kernelSize: 7, stride: 2, padding: 3, dtype }, random);
    this.bn1 = new BatchNorm2d(gpu, width);
    this.layer1 = stage(0);
    this.layer2 = stage(1);
    this.layer3 = stage(2);
    this.layer4 = stage(3);
    this.fc = new Linear(gpu, inChannels, numClasses, random);
    if (dtype === 'f16') for (const [, modules] of this.parts()) for (const module of modules) module.freeze();
  }

  /** What the features are computed by, in order, each of one element type: `stem`, `layer1.0`, `layer1.1`, … */
  *parts(): Generator<[string, readonly Module[]]> {
    yield ['stem', [this.conv1, this.bn1]];
    for (const stage of ['layer1', 'layer2', 'layer3', 'layer4'] as const) {
      for (const [i, block] of this[stage].entries()) yield [`${stage}.${i}`, [block]];
    }
  }

  get numClasses(): number {
    return this.fc.weight.shape[0];
  }

  /** Length of what `forwardFeatures` gives. */
  get numFeatures(): number {
    return this.fc.weight.shape[1];
  }

  /** A new, randomly initialised last layer for another number of classes. */
  resetClassifier(numClasses: number, seed = this.#seed): void {
    if (!Number.isInteger(numClasses) || numClasses < 1) throw new UsageError(`resetClassifier: numClasses must be a positive integer, got ${numClasses}`);
    const features = this.numFeatures;
    this.fc.dispose();
    this.fc = new Linear(this.gpu, features, numClasses, new Random(seed, 1));
  }

  /** [N, H, W, 3] to the pooled features [N, numFeatures], f32 whatever the parts compute in. */
  forwardFeatures(x: Tensor): Tensor {
    return this.#pool(this.forwardTo('layer4', x));
  }

  /** [N, H, W, 3] to what a stage gives, in the type that it computes in. */
  forwardTo(stage: StageName, x: Tensor): Tensor {
    if (x.shape.length !== 4 || x.shape[3] !== 3) {
      throw new ShapeError(`${this.architecture}: input must be [N, H, W, 3], got ${formatShape(x.shape)}`);
    }
    return this.#stages(STAGES.slice(1, STAGES.indexOf(stage) + 1), this.#run('stem', (images) => this.#stem(images), x));
  }

  /** What a stage gave to the pooled features. `y` is not given back: it stays usable. */
  forwardFrom(stage: StageName, y: Tensor): Tensor {
    return this.#pool(this.#stages(STAGES.slice(STAGES.indexOf(stage) + 1), y, y), y);
  }

  #stages(stages: readonly StageName[], y: Tensor, kept?: Tensor): Tensor {
    let at = y;
    for (const [name, [block]] of this.parts()) {
      if (stages.some((stage) => name.startsWith(`${stage}.`))) at = replace(at, this.#run(name, (input) => block.forward(input), at), kept);
    }
    return at;
  }

  #pool(y: Tensor, kept?: Tensor): Tensor {
    const full = y.dtype === 'f16' ? replace(y, cast(y, 'f32'), kept) : y;
    return flatten(replace(full, adaptiveAvgPool2d(full, [1, 1]), kept));
  }

  #stem(images: Tensor): Tensor {
    const x = cast(images, this.conv1.dtype);
    const y = convBatchNorm(this.conv1, this.bn1, x, { relu: true });
    discard(y, ...made(images, x));
    return replace(y, maxPool2d(y, { kernelSize: [3, 3], stride: [2, 2], padding: [1, 1] }));
  }

  /** One block, kept or run again. */
  #run(name: string, block: (x: Tensor) => Tensor, x: Tensor): Tensor {
    const again = this.recompute;
    const chosen = typeof again === 'boolean' ? again : again.some((part) => name === part || name.startsWith(`${part}.`));
    return chosen ? recompute(block, x) : block(x);
  }

  /** [N, numFeatures] to logits [N, numClasses]. */
  forwardHead(features: Tensor): Tensor {
    return this.fc.forward(features);
  }

  /** [N, H, W, 3] to logits [N, numClasses]. */
  forward(x: Tensor): Tensor {
    return this.forwardHead(this.forwardFeatures(x));
  }
}

/** The second instead of the first, which is given back unless it is `kept` or a gradient will ask for it. */
function replace(before: Tensor, after: Tensor, kept?: Tensor): Tensor {
  if (before !== kept) discard(after, before);
  return after;
}

/** A ResNet with random weights. @throws UsageError for an unknown name. */
export function createModel(gpu: Gpu, name: string, options: ResNetOptions = {}): ResNet {
  return new ResNet(gpu, architectureName(name), options);
}
