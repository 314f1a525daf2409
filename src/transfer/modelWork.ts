/** What a model does when it predicts and when it is trained, once, on random numbers: to see its problems and time it. */
import { backward } from '../autograd/backward';
import { noGrad } from '../autograd/op';
import { crossEntropy } from '../autograd/ops/loss';
import { Optimizer } from '../optim/optimizer';
import { Random } from '../random';
import { Tensor, keep } from '../tensor';
import { mergeProblems, observeProblems, type Problem } from '../tune/problems';
import type { Classifier } from './classifier';
import { applyPlan, recipeOf, trunkIsFrozen } from './plan';
import { applyPrecision } from './precision';
import type { FineTuneOptions } from './types';

export interface WorkOptions extends Pick<FineTuneOptions, 'plan' | 'batchSize' | 'bn' | 'precision'> {
  /** Pixels of an image's side. Default: what the model was made for. */
  readonly size?: number;
}

/** One piece of work: recorded by `run`, inside a scope of the caller's. */
export interface Work {
  /** `forward` or `step`. */
  readonly name: string;
  readonly batchSize: number;
  run(): void;
}

/**
 * The forward pass and the training step of a plan (of the head alone, on features, where the trunk is frozen). Changes
 * the weights when run. `dispose` frees the inputs and the optimiser, not the classifier.
 * @throws UsageError for options out of range or a plan that names no part of the network.
 */
export function modelWork(classifier: Classifier, options: WorkOptions): { readonly works: readonly Work[]; dispose(): void } {
  const { network, gpu, preprocessing } = classifier;
  const recipe = recipeOf({ precision: classifier.precision, ...options });
  applyPlan(network, recipe);
  applyPrecision(network, recipe.precision);
  const size = options.size ?? preprocessing.cropSize;
  const { batchSize } = recipe;
  const random = new Random(recipe.seed);
  const normal = (...shape: number[]): Tensor =>
    keep(Tensor.fromArray(gpu, shape, Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => random.normal())));
  const images = normal(batchSize, size, size, 3);
  const frozen = trunkIsFrozen(network);
  const inputs = frozen ? normal(batchSize, network.numFeatures) : images;
  const targets = keep(Tensor.fromArray(gpu, [batchSize], Int32Array.from({ length: batchSize }, () => random.int(network.numClasses))));
  const optimizer = new Optimizer(network.namedParameters(), recipe.optimizer);
  const forward = (): void => {
    network.eval();
    noGrad(() => network.forward(images));
  };
  const step = (): void => {
    network.train();
    backward(crossEntropy(frozen ? network.forwardHead(inputs) : network.forward(inputs), targets));
    optimizer.step();
    optimizer.zeroGrad();
  };
  return {
    works: [{ name: 'forward', batchSize, run: forward }, { name: 'step', batchSize, run: step }],
    dispose() {
      optimizer.zeroGrad();
      optimizer.dispose();
      for (const tensor of new Set([images, inputs, targets])) tensor.dispose();
    },
  };
}

/** The problems of some work, the most arithmetic first. Compiles what the work uses now. */
export async function problemsOf(classifier: Classifier, works: readonly Work[]): Promise<Problem[]> {
  const { gpu } = classifier;
  const lists: Problem[][] = [];
  for (const { run } of works) await gpu.precompile(() => lists.push(observeProblems(gpu, run)));
  return mergeProblems(lists);
}
