/** Everything a run consists of on the device, in the order it is made: by `fineTune` for real, by `estimateMemory` on paper. */
import type { Optimizer } from '../optim/optimizer';
import type { Tensor } from '../tensor';
import type { Classifier } from './classifier';
import { normalisesByBatch, trainsOnFeatures } from './plan';
import { Inputs, Passes, type Maker } from './programs';
import { TrainSteps } from './trainStep';
import type { Recipe } from './types';

/** Images of a run. */
export interface RunSizes {
  readonly train: number;
  readonly validation: number;
}

export interface Training {
  readonly steps: TrainSteps;
  /** Undefined where there is nothing to evaluate. */
  readonly evaluation: Passes | undefined;
  /** Smaller batches are left out of training: one image cannot be normalised by itself. */
  readonly least: 1 | 2;
  dispose(): void;
}

/** Programs for steps and for validation, of the sizes that batches will have. */
export async function prepareTraining(
  maker: Maker,
  classifier: Classifier,
  { recipe, microBatch, optimizer, sizes }: { recipe: Recipe; microBatch: number; optimizer: Optimizer; sizes: RunSizes },
): Promise<Training> {
  const { network, gpu } = classifier;
  const { batchSize, labelSmoothing, clipNorm } = recipe;
  const onFeatures = trainsOnFeatures(network, recipe);
  const forward = (x: Tensor): Tensor => (onFeatures ? network.forwardHead(x) : network.forward(x));
  // Features are small: a batch of them is never split.
  const most = onFeatures ? batchSize : microBatch;
  const least = normalisesByBatch(network) && batchSize > 1 && sizes.train > 1 ? 2 : 1;
  const room = Math.min(most, Math.max(sizes.train, sizes.validation));
  const inputs = await Inputs.make(maker, gpu, onFeatures ? [network.numFeatures] : imageShape(classifier), room);
  const steps = new TrainSteps(maker, { network, forward, optimizer, inputs, most, least, labelSmoothing, clipNorm });
  try {
    for (const images of new Set([Math.min(sizes.train, batchSize), sizes.train % batchSize])) if (images >= least) await steps.prepare(images);
    const evaluation = sizes.validation > 0 ? await Passes.make(maker, network, inputs, evenPart(sizes.validation, most), forward) : undefined;
    const dispose = (): void => {
      steps.dispose();
      evaluation?.dispose();
      inputs.dispose();
    };
    return { steps, evaluation, least, dispose };
  } catch (error) {
    steps.dispose();
    inputs.dispose();
    throw error;
  }
}

/** Passes for results of so many images, in evaluation mode. */
export async function preparePasses(
  maker: Maker,
  classifier: Classifier,
  forward: (x: Tensor) => Tensor,
  { images, most }: { images: number; most: number },
): Promise<Passes> {
  const part = evenPart(images, most);
  const inputs = await Inputs.make(maker, classifier.gpu, imageShape(classifier), part);
  try {
    return await Passes.make(maker, classifier.network, inputs, part, forward);
  } catch (error) {
    inputs.dispose();
    throw error;
  }
}

/** Passes for features of the trunk. A CPU adapter is no faster with more than 16 images at once, which cost memory. */
export function prepareFeatures(maker: Maker, classifier: Classifier, images: number, microBatch: number): Promise<Passes> {
  const { network, gpu } = classifier;
  return preparePasses(maker, classifier, (x) => network.forwardFeatures(x), { images, most: gpu.adapter.software ? Math.min(16, microBatch) : microBatch });
}

/** Items in a part when as few parts as possible are of one size. */
function evenPart(items: number, most: number): number {
  return Math.max(1, Math.ceil(items / Math.max(1, Math.ceil(items / most))));
}

function imageShape({ preprocessing: { cropSize } }: Classifier): number[] {
  return [cropSize, cropSize, 3];
}
