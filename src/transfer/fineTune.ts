/**
 * Fine-tuning: freezes what the plan leaves out, trains the rest, keeps the best epoch.
 *
 * Every random choice is a function of (seed, epoch), so a run that continues from a checkpoint takes the same steps as
 * one that was never broken. Inside a step nothing is read back; losses are fetched in groups, between steps.
 */
import { DataError, TrainingError } from '../errors';
import { backward } from '../autograd/backward';
import { crossEntropy } from '../autograd/ops/loss';
import type { ImageCollection } from '../data/collection';
import { trainReport } from '../layers/module';
import type { StateDict } from '../layers/module';
import { Optimizer } from '../optim/optimizer';
import { rateAt } from '../optim/schedule';
import { shuffle } from '../random';
import { Tensor, scope } from '../tensor';
import { hasNonFinite } from '../weights/tensorBytes';
import { assertSameRun, parseCheckpoint, serializeCheckpoint } from './checkpoint';
import type { Classifier } from './classifier';
import { evaluateFeed } from './evaluate';
import { digest } from './featureCache';
import { openFeeds, type Feeds } from './feed';
import { ADVICE, LossMeter } from './lossMeter';
import { applyPlan, batchNorms, checkPlan, recipeOf, trunkIsFrozen } from './plan';
import type { EpochRecord, Evaluation, FineTuneOptions, FineTuneResult, ProgressEvent, Recipe } from './types';

/**
 * Trains `classifier` on `data.train` in place and leaves it with the best epoch's weights, by accuracy on
 * `data.validation` (without validation images: the last epoch's). It gets a new last layer first unless its classes
 * are the data's.
 *
 * A loss that is not finite ends training with `ended: 'diverged'`; an aborted signal with `'interrupted'`. Both keep
 * the best weights so far.
 * @throws UsageError for options out of range or a checkpoint of another run; DataError when no image can be read.
 */
export async function fineTune(classifier: Classifier, data: ImageCollection, options: FineTuneOptions = {}): Promise<FineTuneResult> {
  const recipe = recipeOf(options);
  const began = performance.now();
  checkPlan(classifier.network, recipe.plan);
  classifier.setClasses(data.classes, recipe.seed);
  applyPlan(classifier.network, recipe);
  const run = await Run.start(classifier, data, recipe, options);
  try {
    const { ended, reason } = await run.train();
    return await run.finish(ended, reason, (performance.now() - began) / 1000);
  } finally {
    run.dispose();
  }
}

class Run {
  readonly #classifier: Classifier;
  readonly #recipe: Recipe;
  readonly #options: FineTuneOptions;
  readonly #feeds: Feeds;
  readonly #optimizer: Optimizer;
  /** Digest of the starting weights and of the images, for checkpoints; empty where none are kept. */
  readonly #origin: string;
  readonly #history: EpochRecord[] = [];
  #best: StateDict;
  #bestEpoch = 0;
  #bestEvaluation: Evaluation | null = null;

  private constructor(classifier: Classifier, recipe: Recipe, options: FineTuneOptions, feeds: Feeds, origin: string, initial: StateDict) {
    this.#classifier = classifier;
    this.#recipe = recipe;
    this.#options = options;
    this.#feeds = feeds;
    this.#origin = origin;
    this.#best = initial;
    this.#optimizer = new Optimizer(classifier.network.namedParameters(), recipe.optimizer);
  }

  static async start(classifier: Classifier, data: ImageCollection, recipe: Recipe, options: FineTuneOptions): Promise<Run> {
    const { network } = classifier;
    const changing = changingNames(classifier);
    const checkpointed = options.checkpoint !== undefined;
    const state = await network.stateDict((name) => checkpointed || changing.has(name));
    const items = [...data.train.items, ...data.validation.items].map(({ hash, label }) => [hash, label]);
    const origin = checkpointed ? await digest(JSON.stringify([items, classifier.preprocessing]), state) : '';
    const feeds = await openFeeds(classifier, data, recipe, options);
    if (feeds.train.size === 0 && !options.signal?.aborted) throw new DataError('fineTune: none of the training images could be read; see the skipped ones for why');
    const initial = new Map([...state].filter(([name]) => changing.has(name)));
    const run = new Run(classifier, recipe, options, feeds, origin, initial);
    try {
      if (options.resume) await run.#resume();
      return run;
    } catch (error) {
      run.dispose();
      throw error;
    }
  }

  /** All epochs that are left. */
  async train(): Promise<{ ended: FineTuneResult['ended']; reason: string | null }> {
    const { epochs, patience } = this.#recipe;
    await this.#compile();
    for (let epoch = this.#history.length; epoch < epochs; epoch++) {
      if (this.#patienceIsOver(patience)) return { ended: 'early', reason: null };
      try {
        if (!(await this.#epoch(epoch))) return { ended: 'interrupted', reason: null };
      } catch (error) {
        if (error instanceof TrainingError) return { ended: 'diverged', reason: error.message };
        throw error;
      }
      await this.#saveCheckpoint();
    }
    return { ended: this.#patienceIsOver(patience) && this.#history.length < epochs ? 'early' : 'finished', reason: null };
  }

  /** Restores the best weights and tells what happened. */
  async finish(ended: FineTuneResult['ended'], reason: string | null, seconds: number): Promise<FineTuneResult> {
    const { network, gpu } = this.#classifier;
    const { train, validation, features } = this.#feeds;
    network.loadStateDict(this.#best, { strict: false });
    network.eval();
    if (this.#bestEvaluation === null && ended !== 'interrupted') this.#bestEvaluation = await this.#evaluate();
    const norms = batchNorms(network);
    return {
      recipe: this.#recipe,
      history: this.#history,
      bestEpoch: this.#bestEpoch,
      ended,
      reason,
      validation: this.#bestEvaluation,
      parameters: trainReport(network),
      trained: [...network.namedParameters()].filter(([, p]) => p.requiresGrad).map(([name]) => name),
      batchNorm: { held: this.#heldNorms(), total: norms.length },
      features,
      images: { train: train.size, validation: validation.size },
      seconds,
      peakBytes: gpu.memory().peakBytes,
      adapter: gpu.adapter.description || `${gpu.adapter.vendor} ${gpu.adapter.architecture}`,
    };
  }

  dispose(): void {
    this.#optimizer.zeroGrad();
    this.#optimizer.dispose();
  }

  /** One pass over the training images, then validation. False when it was interrupted; nothing of it counts then. */
  async #epoch(epoch: number): Promise<boolean> {
    const { signal } = this.#options;
    const { seed, batchSize, schedule, epochs, optimizer } = this.#recipe;
    const { train } = this.#feeds;
    const began = performance.now();
    this.#classifier.network.train();
    const least = this.#leastBatch();
    const steps = Math.floor(train.size / batchSize) + (train.size % batchSize >= least ? 1 : 0);
    const meter = new LossMeter(this.#optimizer.steps, ({ loss, images, step }) => {
      const imagesPerSecond = images / ((performance.now() - began) / 1000);
      this.#report({ kind: 'step', epoch: epoch + 1, epochs, step, steps, loss, imagesPerSecond });
    });
    let step = 0;
    let trainLoss: number;
    try {
      for await (const { inputs, targets } of train.batches(shuffle(train.size, seed, epoch), batchSize, epoch)) {
        if (signal?.aborted) break;
        if (targets.length < least) continue;
        this.#optimizer.lr = rateAt(schedule, epoch * steps + step++, epochs * steps, optimizer.lr);
        const x = (): Tensor => Tensor.fromArray(this.#classifier.gpu, [targets.length, ...train.shape], inputs);
        const loss = this.#step(x, () => Tensor.fromArray(this.#classifier.gpu, [targets.length], targets));
        await meter.add(loss, targets.length);
      }
      trainLoss = await meter.finish();
    } finally {
      meter.dispose();
    }
    if (signal?.aborted) return false;
    if (step === 0) throw new DataError('fineTune: none of the training images could be read; see the skipped ones for why');
    const evaluation = await this.#evaluate();
    if (signal?.aborted) return false;
    await this.#record(epoch, trainLoss, evaluation, (performance.now() - began) / 1000);
    return true;
  }

  /** Forward, backward and update of one batch: all recorded, nothing waited for. */
  #step(x: () => Tensor, targets: () => Tensor): Tensor {
    const { labelSmoothing, clipNorm } = this.#recipe;
    this.#classifier.network.train(); // a prediction between two steps leaves it in evaluation mode
    return scope(this.#classifier.gpu, () => {
      const loss = crossEntropy(this.#feeds.train.forward(x()), targets(), { labelSmoothing });
      backward(loss);
      if (clipNorm !== null) this.#optimizer.clipGradNorm(clipNorm);
      this.#optimizer.step();
      this.#optimizer.zeroGrad();
      return loss;
    });
  }

  /** Compiles every pipeline of a step before the first one, in parallel. */
  async #compile(): Promise<void> {
    const { gpu } = this.#classifier;
    const { train } = this.#feeds;
    const { batchSize } = this.#recipe;
    const sizes = new Set([Math.min(batchSize, train.size), train.size % batchSize].filter((n) => n > 1));
    let pipelines = 0;
    for (const n of sizes) {
      pipelines += await gpu.precompile(() => {
        this.#step(() => Tensor.empty(gpu, [n, ...train.shape]), () => Tensor.empty(gpu, [n], 'i32'));
      });
    }
    this.#report({ kind: 'compile', pipelines });
  }

  /** A batch of one image cannot be normalised by itself: it is left out this time (the order changes by epoch). */
  #leastBatch(): 1 | 2 {
    const byBatch = batchNorms(this.#classifier.network).some((norm) => norm.mode === 'batch');
    return byBatch && this.#recipe.batchSize > 1 && this.#feeds.train.size > 1 ? 2 : 1;
  }

  /** Null where there is no validation image, or none that can be read. */
  async #evaluate(): Promise<Evaluation | null> {
    const { validation } = this.#feeds;
    if (validation.size === 0) return null;
    const evaluation = await evaluateFeed(this.#classifier, validation, this.#recipe.batchSize, this.#options.signal);
    return evaluation.count > 0 ? evaluation : null;
  }

  async #record(epoch: number, trainLoss: number, evaluation: Evaluation | null, seconds: number): Promise<void> {
    if (evaluation && !Number.isFinite(evaluation.loss)) {
      throw new TrainingError(`the validation loss became ${evaluation.loss} after step ${this.#optimizer.steps}, the last of epoch ${epoch + 1}; ${ADVICE}`);
    }
    const record: EpochRecord = {
      epoch: epoch + 1,
      lr: this.#optimizer.lr,
      trainLoss,
      validationLoss: evaluation?.loss ?? null,
      validationAccuracy: evaluation?.accuracy ?? null,
      seconds,
    };
    const leader = this.#history[this.#bestEpoch - 1] as EpochRecord | undefined;
    const best = leader === undefined || isBetter(record, leader);
    if (best) {
      const weights = await this.#changing();
      // The epoch's last step is followed by no loss that would show it.
      if ([...weights.values()].some(hasNonFinite)) {
        throw new TrainingError(`the weights are not finite after step ${this.#optimizer.steps}, the last of epoch ${epoch + 1}; ${ADVICE}`);
      }
      this.#best = weights;
      this.#bestEpoch = epoch + 1;
      this.#bestEvaluation = evaluation;
    }
    this.#history.push(record);
    this.#report({ kind: 'epoch', record, best });
  }

  #patienceIsOver(patience: number): boolean {
    return patience > 0 && this.#feeds.validation.size > 0 && this.#history.length - this.#bestEpoch >= patience;
  }

  #heldNorms(): number {
    const { network } = this.#classifier;
    network.train();
    const held = batchNorms(network).filter((norm) => !norm.updates).length;
    network.eval();
    return held;
  }

  #changing(): Promise<StateDict> {
    const names = changingNames(this.#classifier);
    return this.#classifier.network.stateDict((name) => names.has(name));
  }

  async #saveCheckpoint(): Promise<void> {
    const { checkpoint } = this.#options;
    if (checkpoint === undefined) return;
    const { steps, tensors } = await this.#optimizer.stateDict();
    const bytes = serializeCheckpoint({
      recipe: this.#recipe,
      classes: this.#classifier.classes,
      epoch: this.#history.length,
      bestEpoch: this.#bestEpoch,
      history: this.#history,
      data: this.#origin,
      optimizerSteps: steps,
      model: this.#bestEpoch === this.#history.length ? this.#best : await this.#changing(),
      best: this.#best,
      optimizer: tensors,
    });
    await checkpoint.save(bytes);
  }

  async #resume(): Promise<void> {
    const bytes = await this.#options.checkpoint?.load();
    if (bytes === undefined) {
      this.#report({ kind: 'note', message: 'There is no checkpoint to resume from; training starts anew.' });
      return;
    }
    const saved = await parseCheckpoint(bytes);
    assertSameRun(saved, { recipe: this.#recipe, classes: this.#classifier.classes, data: this.#origin });
    this.#classifier.network.loadStateDict(saved.model, { strict: false });
    this.#optimizer.loadStateDict({ steps: saved.optimizerSteps, tensors: saved.optimizer });
    this.#history.push(...saved.history);
    this.#best = new Map(saved.best);
    this.#bestEpoch = saved.bestEpoch;
    this.#report({ kind: 'resume', epoch: saved.epoch });
  }

  #report(event: ProgressEvent): void {
    this.#options.onProgress?.(event);
  }
}

/** Higher accuracy, then lower loss; without validation the later epoch. */
function isBetter(a: EpochRecord, b: EpochRecord): boolean {
  if (a.validationAccuracy === null || b.validationAccuracy === null) return true;
  if (a.validationAccuracy !== b.validationAccuracy) return a.validationAccuracy > b.validationAccuracy;
  return (a.validationLoss ?? 0) < (b.validationLoss ?? 0);
}

/** Names of the parameters and statistics that training can change. */
function changingNames({ network }: Classifier): Set<string> {
  const trained = [...network.namedParameters()].filter(([, parameter]) => parameter.requiresGrad).map(([name]) => name);
  const statistics = [...network.namedBuffers()].map(([name]) => name);
  return new Set([...trained, ...(trunkIsFrozen(network) ? [] : statistics)]);
}
