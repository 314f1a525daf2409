/**
 * What a run will take of the GPU's memory, told before it begins, and how it is made to fit a budget: in parts of the
 * batch, and with blocks that run again in the backward.
 *
 * The estimate is the run itself on paper: the same programs, traced and planned, with nothing allocated.
 */
import { UsageError } from '../errors';
import { fitOnto } from '../gpu/arena';
import { sizeClass } from '../gpu/buffers';
import { besideBytes, planTrace } from '../gpu/capture';
import type { Gpu } from '../gpu/gpu';
import type { ResNet } from '../models/resnet';
import { Optimizer } from '../optim/optimizer';
import type { Tensor } from '../tensor';
import type { Classifier } from './classifier';
import { applyPlan, batchNorms, normalisesByBatch, recipeOf, trainsOnFeatures, trunkIsFrozen } from './plan';
import { asIfIn } from './precision';
import type { Maker, Program } from './programs';
import { prepareFeatures, prepareTraining, type RunSizes } from './training';
import type { FineTuneOptions, MemoryUse, Recipe } from './types';

/** Bytes a run will have allocated at most, by what they are for. */
export interface MemoryEstimate {
  /** All of them, as `gpu.memory().peakBytes` counts. */
  readonly bytes: number;
  /** What is allocated now, and stays: weights, mostly. */
  readonly held: number;
  readonly optimizer: number;
  /** Images or features being worked on, and their classes. */
  readonly inputs: number;
  /** What is computed on the way: shared by the programs, as they run one after another. */
  readonly temporaries: number;
  /** Results, gradients of a batch in parts, and parameters of kernels. */
  readonly rest: number;
}

/**
 * What `fineTune` with these options would have allocated at most on this GPU, what is allocated now included. The
 * classifier should have the classes to be trained (`setClasses`). `images`: how many there are; by default one batch of
 * each kind. Runs no step, allocates only what
 * frozen layers keep ready, and leaves the network as it was.
 * @throws UsageError as `fineTune` does.
 */
export async function estimateMemory(classifier: Classifier, options: FineTuneOptions = {}, images: Partial<RunSizes> = {}): Promise<MemoryEstimate> {
  const { network } = classifier;
  const recipe = recipeOf({ precision: classifier.precision, ...options });
  const sizes = { train: recipe.batchSize, validation: recipe.batchSize, ...images };
  const { recompute = network.recompute, microBatch = recipe.batchSize } = options;
  const parameters = network.parameters().map((parameter) => ({ parameter, requiresGrad: parameter.requiresGrad }));
  const norms = batchNorms(network).map((norm) => ({ norm, normaliseBy: norm.normaliseBy, updateStatistics: norm.updateStatistics }));
  const modes = [...network.modules()].map(([, module]) => ({ module, training: module.training }));
  try {
    applyPlan(network, recipe);
    return await asIfIn(network, recipe.precision, async (saved) => {
      const { bytes: all, held, ...rest } = await estimate(classifier, recipe, { recompute, microBatch: Math.min(microBatch, recipe.batchSize) }, sizes);
      return { bytes: all - saved, held: held - saved, ...rest };
    });
  } finally {
    for (const { parameter, requiresGrad } of parameters) parameter.requiresGrad = requiresGrad;
    for (const { norm, ...state } of norms) Object.assign(norm, state);
    for (const { module, training } of modes) module.training = training;
  }
}

/**
 * How a run is made to fit: the largest part of the batch whose estimate is within the budget; where even the smallest
 * part needs more, the same with blocks that run again. The plan has been applied.
 * @throws UsageError when nothing fits, with what would.
 */
export async function chooseMemory(classifier: Classifier, recipe: Recipe, options: FineTuneOptions, sizes: RunSizes): Promise<MemoryUse> {
  const { memoryBudget: budget = null, recompute = classifier.network.recompute, microBatch = recipe.batchSize } = options;
  const least = normalisesByBatch(classifier.network) && recipe.batchSize > 1 ? 2 : 1;
  const most = Math.min(microBatch, recipe.batchSize);
  if (most < least) throw new UsageError(`fineTune: with microBatch ${microBatch} a batch norm would follow one image at a time; use at least 2, or bn 'hold'`);
  let smallest = Infinity;
  for (const again of recompute === true || trunkIsFrozen(classifier.network) ? [recompute] : [recompute, true]) {
    for (const part of budget === null ? [most] : halvings(most, least)) {
      const memory = { microBatch: part, recompute: again, budget, estimate: (await estimate(classifier, recipe, { microBatch: part, recompute: again }, sizes)).bytes };
      if (budget === null || memory.estimate <= budget) return memory;
      smallest = Math.min(smallest, memory.estimate);
    }
  }
  const manner = `${least === 1 ? 'one image' : 'two images'} at a time${trunkIsFrozen(classifier.network) ? '' : ', with blocks recomputed,'}`;
  throw new UsageError(`fineTune: even ${manner} would take ${megabytes(smallest)} of GPU memory, past the budget of ${megabytes(budget ?? 0)}; allow more, or train less of the network (plan 'head'), a smaller one, or smaller images`);
}

function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MB`;
}

/** The number itself, then powers of two below it. */
export function halvings(most: number, least: number): number[] {
  const sizes = [most];
  for (let size = 2 ** Math.floor(Math.log2(most)); size >= least; size /= 2) if (size < most) sizes.push(size);
  return sizes;
}

/** What to try when there is not enough memory after all: half as many at a time, then blocks recomputed. */
export function nextManner(network: ResNet, { microBatch, recompute }: MemoryUse): Pick<MemoryUse, 'microBatch' | 'recompute'> | undefined {
  const least = normalisesByBatch(network) ? 2 : 1;
  if (microBatch > least) return { microBatch: halvings(microBatch, least)[1] ?? least, recompute };
  return recompute === true || trunkIsFrozen(network) ? undefined : { microBatch, recompute: true };
}

/** What a run of these sizes would take. The plan has been applied. */
async function estimate(classifier: Classifier, recipe: Recipe, { microBatch, recompute }: Pick<MemoryUse, 'microBatch' | 'recompute'>, sizes: RunSizes): Promise<MemoryEstimate> {
  const { gpu, network } = classifier;
  const before = network.recompute;
  network.recompute = recompute;
  try {
    const papers: Paper[] = [];
    if (trainsOnFeatures(network, recipe)) {
      const paper = new Paper(gpu);
      await prepareFeatures(paper, classifier, sizes.train + sizes.validation, microBatch);
      papers.push(paper);
    }
    const paper = new Paper(gpu);
    const optimizer = await paper.hold('optimizer', () => new Optimizer(network.namedParameters(), recipe.optimizer), ({ stateTensors }) => stateTensors);
    await prepareTraining(paper, classifier, { recipe, microBatch, optimizer, sizes });
    papers.push(paper);
    const held = gpu.memory().liveBytes; // after all: constants of frozen batch norms are made on the way
    return papers.map((each) => each.estimate(held)).reduce((a, b) => (b.bytes > a.bytes ? b : a));
  } finally {
    network.recompute = before;
  }
}

/** Adds up what programs and what lives beside them would take, as the pool and the arena would give it out. */
class Paper implements Maker {
  readonly #gpu: Gpu;
  readonly #held = { optimizer: 0, inputs: 0, rest: 0 };
  /** Sizes of the buffers that programs share (gpu/arena.ts). */
  readonly #shelves: number[] = [];

  constructor(gpu: Gpu) {
    this.#gpu = gpu;
  }

  make<T extends Tensor | void>(fn: () => T): Promise<Program<T>> {
    const { trace, result, outputs } = this.#gpu.trace(fn, (made) => (made ? [made.storage] : []));
    const planned = planTrace(trace, outputs);
    this.#shelves.push(...fitOnto(this.#shelves, planned.plan.buffers).added);
    for (const { bytes: size } of outputs) this.#held.rest += sizeClass(size);
    this.#held.rest += besideBytes(trace, planned, this.#gpu.device);
    const never = (): never => {
      throw new Error('a program on paper cannot run');
    };
    if (result) result.node = undefined;
    return Promise.resolve({ replay: never, dispose: () => undefined });
  }

  async hold<T>(what: 'optimizer' | 'inputs' | 'rest', fn: () => T, tensors: (made: T) => readonly Tensor[]): Promise<T> {
    let made: T | undefined;
    await this.#gpu.precompile(() => { made = fn(); });
    for (const { storage } of tensors(made as T)) this.#held[what] += sizeClass(storage.bytes);
    return made as T;
  }

  estimate(held: number): MemoryEstimate {
    const temporaries = this.#shelves.reduce((a, b) => a + b, 0);
    const { optimizer, inputs, rest } = this.#held;
    return { bytes: held + optimizer + inputs + temporaries + rest, held, optimizer, inputs, temporaries, rest };
  }
}
