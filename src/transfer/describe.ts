/** The parts of a network in order, as people and drawings want them: what they are, what they hold, what they give. */
import { noGrad } from '../autograd/op';
import { UsageError } from '../errors';
import { sizeOf } from '../hostTensor';
import { Conv2d } from '../layers/conv2d';
import type { Module } from '../layers/module';
import type { ResNet } from '../models/resnet';
import { Tensor } from '../tensor';
import { unchanged } from './unchanged';

/** One part of a network. */
export interface NetworkPart {
  /** Also the plan that trains this part and all after it: `conv1`, `layer1.0`, …, `head`. */
  readonly name: string;
  /** `stem`, `layer1` … `layer4`, `head`. */
  readonly stage: string;
  /** For people: `7 x 7 convolution, stride 2; max pooling`. */
  readonly title: string;
  /** Numbers that can be trained. */
  readonly parameters: number;
  /** Shape of what it gives for one image: height, width, channels. */
  readonly output: readonly [number, number, number];
}

/**
 * The parts of a network from the image to the classes, with the shapes they give for images of `size` x `size` pixels.
 * Asks nothing of the GPU.
 * @throws UsageError for a size that is no whole number of pixels.
 */
export function describeNetwork(network: ResNet, size: number): readonly NetworkPart[] {
  if (!Number.isInteger(size) || size < 1) throw new UsageError(`describeNetwork: size must be a whole number of pixels of at least 1, got ${size}`);
  const { gpu } = network;
  return unchanged(network, () => gpu.rehearse(() => noGrad(() => {
    network.eval(); // in training mode one value a channel cannot be normalised
    let y = network.forwardTo('stem', Tensor.empty(gpu, [1, size, size, 3]));
    const parts: NetworkPart[] = [];
    for (const [name, modules] of network.parts()) {
      const stem = name === 'stem';
      if (!stem) y = modules[0].forward(y);
      const [, height, width, channels] = y.shape;
      const title = stem ? `${convolutionTitle(convolutionsOf(modules))}; max pooling` : convolutionTitle(convolutionsOf(modules));
      parts.push({ name: stem ? 'conv1' : name, stage: name.split('.')[0], title, parameters: countOf(modules), output: [height, width, channels] });
    }
    const classes = network.numClasses;
    return [...parts, { name: 'head', stage: 'head', title: `Mean over places; fully connected, ${classes} classes`, parameters: countOf([network.fc]), output: [1, 1, classes] }];
  })));
}

/** `3 x 3 and 3 x 3 convolutions, stride 2`. The convolution of a shortcut whose shape changes is not named. */
function convolutionTitle(convolutions: readonly Conv2d[]): string {
  const kernels = convolutions.map(({ weight: { shape: [kh, kw] } }) => `${kh} x ${kw}`);
  const same = kernels.every((kernel) => kernel === kernels[0]);
  const names = kernels.length === 1 ? `${kernels[0]} convolution`
    : same ? `${kernels.length === 2 ? 'Two' : kernels.length} ${kernels[0]} convolutions`
      : `${kernels.slice(0, -1).join(', ')} and ${kernels.at(-1)} convolutions`;
  const stride = Math.max(...convolutions.map(({ options }) => options.stride[0]));
  const groups = Math.max(...convolutions.map(({ options }) => options.groups));
  return `${names}${groups > 1 ? `, ${groups} groups` : ''}${stride > 1 ? `, stride ${stride}` : ''}`;
}

/** Convolutions on the main path, in order. */
function convolutionsOf(modules: readonly Module[]): Conv2d[] {
  return modules.flatMap((module) => [...module.modules()].filter(([path]) => !path.startsWith('downsample')).map(([, layer]) => layer)).filter((layer) => layer instanceof Conv2d);
}

function countOf(modules: readonly Module[]): number {
  return modules.flatMap((module) => module.parameters()).reduce((sum, { shape }) => sum + sizeOf(shape), 0);
}
