/**
 * Fine-tuning: freezes what the plan leaves out, trains the rest, keeps the best epoch.
 *
 * Every random choice is a function of (seed, epoch), so a run that continues from a checkpoint takes the same steps as
 * one that was never broken. Inside a step nothing is read back; losses are fetched in groups, between steps.
 */
import { DataError, OutOfMemoryError, TrainingError, UsageError } from '../errors';
import type { ImageCollection } from '../data/collection';
import { trainReport } from '../layers/module';
import type { StateDict } from '../layers/module';
import { Optimizer } from '../optim/optimizer';
import { rateAt } from '../optim/schedule';
import { shuffle } from '../random';
import { choicesHash } from '../tune/table';
import { hasNonFinite } from '../weights/tensorBytes';
import { assertSameRun, parseCheckpoint, serializeCheckpoint, type Checkpoint } from './checkpoint';
import type { Classifier } from './classifier';
import { evaluateFeed } from './evaluate';
import { digest } from './featureCache';
import { openFeeds, type Feeds } from './feed';
import { ADVICE, LossMeter } from './lossMeter';
import { chooseMemory, nextManner } from './memory';
import { applyPlan, changingNames, checkPlan, heldNorms, recipeOf } from './plan';
import { applyPrecision, assertPrecision } from './precision';
import { captures } from './programs';
import { prepareTraining, type Training } from './training';
import { Turns } from './turns';
import type { EpochRecord, Evaluation, FineTuneOptions, FineTuneResult, MemoryUse, ProgressEvent, Recipe } from './types';

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
  const recipe = recipeOf({ precision: classifier.precision, ...options });
  const began = performance.now();
  checkPlan(classifier.network, recipe.plan);
  assertPrecision(classifier.gpu, recipe.precision);
  classifier.setClasses(data.classes, recipe.seed);
  const { network } = classifier;
  applyPlan(network, recipe);
  applyPrecision(network, recipe.precision);
  if (recipe.precision !== classifier.precision) {
    options.onProgress?.({ kind: 'note', message: "Every part of the network is trained, so precision 'float16' changes nothing." });
  }
  const { recompute } = network;
  try {
    const run = await startWithin(classifier, data, recipe, options);
    try {
      const { ended, reason } = await run.train();
      return await run.finish(ended, reason, (performance.now() - began) / 1000);
    } finally {
      run.dispose();
    }
  } finally {
    network.recompute = recompute;
  }
}

/** Starts a run in as large parts of a batch as there is memory for. */
async function startWithin(classifier: Classifier, data: ImageCollection, recipe: Recipe, options: FineTuneOptions): Promise<Run> {
  const { network, gpu } = classifier;
  const saved = options.resume ? await loadCheckpoint(recipe, options) : undefined;
  gpu.trim(); // what was used before has other sizes
  const sizes = { train: data.train.items.length, validation: data.validation.items.length };
  // A run goes on in the parts it began with, to take the same steps.
  let wanted = { ...options, microBatch: options.microBatch ?? saved?.microBatch ?? recipe.batchSize };
  for (;;) {
    const memory = await chooseMemory(classifier, recipe, wanted, sizes);
    options.onProgress?.({ kind: 'memory', batchSize: recipe.batchSize, memory });
    network.recompute = memory.recompute;
    try {
      return await Run.start(classifier, data, { recipe, memory, options, turns: new Turns(options), saved });
    } catch (error) {
      const less = error instanceof OutOfMemoryError ? nextManner(network, memory) : undefined;
      if (less === undefined) throw error;
      gpu.trim();
      wanted = { ...wanted, ...less };
      const next = less.microBatch < memory.microBatch ? `${less.microBatch} at a time` : 'blocks recomputed';
      options.onProgress?.({ kind: 'note', message: `The GPU had no memory for ${memory.microBatch} images at a time; trying with ${next}.` });
    }
  }
}

interface Settings {
  readonly recipe: Recipe;
  readonly memory: MemoryUse;
  readonly options: FineTuneOptions;
  readonly turns: Turns;
  readonly saved: Checkpoint | undefined;
}

/** What a run needs to begin. */
interface Made {
  readonly feeds: Feeds;
  readonly optimizer: Optimizer;
  readonly training: Training;
  readonly origin: string;
  readonly initial: StateDict;
}

class Run {
  readonly #classifier: Classifier;
  readonly #recipe: Recipe;
  readonly #memory: MemoryUse;
  readonly #options: FineTuneOptions;
  readonly #turns: Turns;
  readonly #feeds: Feeds;
  readonly #optimizer: Optimizer;
  readonly #training: Training;
  /** Digest of the starting weights and of the images, for checkpoints; empty where none are kept. */
  readonly #origin: string;
  readonly #history: EpochRecord[] = [];
  #best: StateDict;
  #bestEpoch = 0;
  #bestEvaluation: Evaluation | null = null;

  private constructor(classifier: Classifier, { recipe, memory, options, turns }: Settings, made: Made) {
    this.#classifier = classifier;
    this.#recipe = recipe;
    this.#memory = memory;
    this.#options = options;
    this.#turns = turns;
    this.#feeds = made.feeds;
    this.#optimizer = made.optimizer;
    this.#training = made.training;
    this.#origin = made.origin;
    this.#best = made.initial;
  }

  static async start(classifier: Classifier, data: ImageCollection, settings: Settings): Promise<Run> {
    const { network, gpu } = classifier;
    const { recipe, memory: { microBatch }, options, turns, saved } = settings;
    const changing = changingNames(network);
    const checkpointed = options.checkpoint !== undefined;
    const state = await network.stateDict((name) => checkpointed || changing.has(name));
    const items = [...data.train.items, ...data.validation.items].map(({ hash, label }) => [hash, label]);
    const origin = checkpointed ? await digest(JSON.stringify([items, classifier.preprocessing]), state) : '';
    if (saved) assertSameRun(saved, { recipe, classes: classifier.classes, data: origin });
    const feeds = await openFeeds(classifier, data, { recipe, microBatch, options, turns });
    const sizes = { train: feeds.train.size, validation: feeds.validation.size };
    if (sizes.train === 0 && !options.signal?.aborted) throw new DataError('fineTune: none of the training images could be read; see the skipped ones for why');
    const initial = new Map([...state].filter(([name]) => changing.has(name)));
    const optimizer = new Optimizer(network.namedParameters(), recipe.optimizer);
    let training: Training | undefined;
    try {
      training = await prepareTraining(captures(gpu), classifier, { recipe, microBatch, optimizer, sizes });
      options.onProgress?.({ kind: 'compile' });
      const run = new Run(classifier, settings, { feeds, optimizer, training, origin, initial });
      if (saved) run.#resume(saved);
      return run;
    } catch (error) {
      training?.dispose();
      optimizer.dispose();
      throw error;
    }
  }

  /** All epochs that are left. */
  async train(): Promise<{ ended: FineTuneResult['ended']; reason: string | null }> {
    const { epochs, patience } = this.#recipe;
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
    return {
      recipe: this.#recipe,
      history: this.#history,
      bestEpoch: this.#bestEpoch,
      ended,
      reason,
      validation: this.#bestEvaluation,
      parameters: trainReport(network),
      trained: [...network.namedParameters()].filter(([, p]) => p.requiresGrad).map(([name]) => name),
      batchNorm: heldNorms(network),
      features,
      images: { train: train.size, validation: validation.size },
      seconds,
      peakBytes: gpu.memory().peakBytes,
      memory: this.#memory,
      adapter: gpu.adapter.description || `${gpu.adapter.vendor} ${gpu.adapter.architecture}`,
      choices: choicesHash(gpu),
    };
  }

  dispose(): void {
    this.#training.dispose();
    this.#optimizer.dispose();
  }

  /** One pass over the training images, then validation. False when it was interrupted; nothing of it counts then. */
  async #epoch(epoch: number): Promise<boolean> {
    const { signal } = this.#options;
    const { seed, batchSize, schedule, epochs, optimizer } = this.#recipe;
    const { train } = this.#feeds;
    const began = this.#turns.now();
    const { least, steps: trainSteps } = this.#training;
    const steps = Math.floor(train.size / batchSize) + (train.size % batchSize >= least ? 1 : 0);
    const meter = new LossMeter(this.#optimizer.steps, ({ loss, images, step }) => {
      const imagesPerSecond = images / ((this.#turns.now() - began) / 1000);
      this.#report({ kind: 'step', epoch: epoch + 1, epochs, step, steps, loss, imagesPerSecond });
    });
    let step = 0;
    let trainLoss: number;
    try {
      for await (const { inputs, targets } of train.batches(shuffle(train.size, seed, epoch), batchSize, epoch)) {
        if (targets.length < least) continue;
        if (!(await this.#turns.next())) break;
        this.#optimizer.lr = rateAt(schedule, epoch * steps + step++, epochs * steps, optimizer.lr);
        await meter.add(await trainSteps.run(inputs, targets));
      }
      trainLoss = await meter.finish();
    } finally {
      meter.dispose();
    }
    if (signal?.aborted) return false;
    if (step === 0) throw new DataError('fineTune: none of the training images could be read; see the skipped ones for why');
    const evaluation = await this.#evaluate();
    if (signal?.aborted) return false;
    await this.#record(epoch, trainLoss, evaluation, (this.#turns.now() - began) / 1000);
    return true;
  }

  /** Null where there is no validation image, or none that can be read. */
  async #evaluate(): Promise<Evaluation | null> {
    const { validation } = this.#feeds;
    const passes = this.#training.evaluation;
    if (passes === undefined) return null;
    const evaluation = await evaluateFeed(this.#classifier.network.numClasses, validation, passes, this.#turns);
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

  #changing(): Promise<StateDict> {
    const names = changingNames(this.#classifier.network);
    return this.#classifier.network.stateDict((name) => names.has(name));
  }

  async #saveCheckpoint(): Promise<void> {
    const { checkpoint } = this.#options;
    if (checkpoint === undefined) return;
    const { steps, tensors } = await this.#optimizer.stateDict();
    const bytes = serializeCheckpoint({
      recipe: this.#recipe,
      microBatch: this.#memory.microBatch,
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

  #resume(saved: Checkpoint): void {
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

async function loadCheckpoint({ batchSize }: Recipe, { checkpoint, microBatch, onProgress }: FineTuneOptions): Promise<Checkpoint | undefined> {
  const bytes = await checkpoint?.load();
  if (bytes === undefined) {
    onProgress?.({ kind: 'note', message: 'There is no checkpoint to resume from; training starts anew.' });
    return undefined;
  }
  const saved = await parseCheckpoint(bytes);
  if (microBatch !== undefined && microBatch !== (saved.microBatch ?? batchSize)) {
    throw new UsageError(`resume: the checkpoint was made with microBatch ${saved.microBatch ?? batchSize}, this run has ${microBatch}; use the same, or start anew without resume`);
  }
  return saved;
}

/** Higher accuracy, then lower loss; without validation the later epoch. */
function isBetter(a: EpochRecord, b: EpochRecord): boolean {
  if (a.validationAccuracy === null || b.validationAccuracy === null) return true;
  if (a.validationAccuracy !== b.validationAccuracy) return a.validationAccuracy > b.validationAccuracy;
  return (a.validationLoss ?? 0) < (b.validationLoss ?? 0);
}
