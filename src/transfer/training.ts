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
  readonly evaluation: Passes;
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
  const most = Math.min(onFeatures ? batchSize : microBatch, Math.max(sizes.train, sizes.validation));
  const least = normalisesByBatch(network) && batchSize > 1 && sizes.train > 1 ? 2 : 1;
  const inputs = await Inputs.make(maker, gpu, onFeatures ? [network.numFeatures] : imageShape(classifier), most);
  const steps = new TrainSteps(maker, { network, forward, optimizer, inputs, most, least, labelSmoothing, clipNorm });
  const evaluation = new Passes(maker, network, inputs, forward);
  const dispose = (): void => {
    steps.dispose();
    evaluation.dispose();
  };
  try {
    for (const images of batchSizes(sizes.train, batchSize)) if (images >= least) await steps.prepare(images);
    for (const images of batchSizes(sizes.validation, most)) await evaluation.prepare(images);
  } catch (error) {
    dispose();
    throw error;
  }
  return { steps, evaluation, least, dispose };
}

/** Programs for results of images, in evaluation mode. */
export async function preparePasses(
  maker: Maker,
  classifier: Classifier,
  forward: (x: Tensor) => Tensor,
  { images, most }: { images: number; most: number },
): Promise<Passes> {
  const inputs = await Inputs.make(maker, classifier.gpu, imageShape(classifier), Math.min(images, most));
  const passes = new Passes(maker, classifier.network, inputs, forward);
  try {
    for (const size of batchSizes(images, most)) await passes.prepare(size);
    return passes;
  } catch (error) {
    passes.dispose();
    throw error;
  }
}

function imageShape({ preprocessing: { cropSize } }: Classifier): number[] {
  return [cropSize, cropSize, 3];
}

/** The sizes that batches of so many items have: full ones, and a rest. */
function batchSizes(items: number, batchSize: number): number[] {
  return [...new Set([Math.min(items, batchSize), items % batchSize])].filter((size) => size > 0);
}
