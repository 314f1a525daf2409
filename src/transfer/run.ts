/** One run of training on one device, from its start or a snapshot to the best epoch's weights. */
import { DataError, TrainingError } from '../errors';
import type { ImageCollection } from '../data/collection';
import { trainReport } from '../layers/module';
import type { StateDict } from '../layers/module';
import { Optimizer } from '../optim/optimizer';
import { rateAt } from '../optim/schedule';
import { shuffle } from '../random';
import { choicesHash } from '../tune/table';
import { hasNonFinite } from '../weights/tensorBytes';
import { assertSameRun, type Checkpoint, type Within } from './checkpoint';
import type { Classifier } from './classifier';
import { evaluateFeed } from './evaluate';
import { openFeeds, type Feeds } from './feed';
import { placeOf, type Kept } from './kept';
import { ADVICE, LossMeter } from './lossMeter';
import { changingNames, heldNorms } from './plan';
import { captures } from './programs';
import { prepareTraining, type Training } from './training';
import type { Turns } from './turns';
import type { EpochRecord, Evaluation, FineTuneOptions, FineTuneResult, MemoryUse, ProgressEvent, Recipe } from './types';

export interface RunSettings {
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
}

const NOT_BEGUN: Within = { position: 0, step: 0, images: 0, lossSum: 0, seconds: 0 };

export class Run {
  readonly #kept: Kept;
  readonly #classifier: Classifier;
  readonly #recipe: Recipe;
  readonly #memory: MemoryUse;
  readonly #options: FineTuneOptions;
  readonly #turns: Turns;
  readonly #feeds: Feeds;
  readonly #optimizer: Optimizer;
  readonly #training: Training;
  readonly #history: EpochRecord[] = [];
  #best: StateDict;
  #bestEpoch = 0;
  #bestEvaluation: Evaluation | null = null;
  /** How far the next epoch had come in the snapshot. */
  #within: Within | undefined;
  #lastSnapshot = performance.now();

  private constructor(kept: Kept, classifier: Classifier, { recipe, memory, options, turns }: RunSettings, made: Made) {
    this.#kept = kept;
    this.#classifier = classifier;
    this.#recipe = recipe;
    this.#memory = memory;
    this.#options = options;
    this.#turns = turns;
    this.#feeds = made.feeds;
    this.#optimizer = made.optimizer;
    this.#training = made.training;
    this.#best = kept.initial;
  }

  static async start(kept: Kept, classifier: Classifier, data: ImageCollection, settings: RunSettings): Promise<Run> {
    const { network, gpu } = classifier;
    const { recipe, memory: { microBatch }, options, turns, saved } = settings;
    await kept.start(classifier, data);
    if (saved) assertSameRun(saved, { recipe, classes: classifier.classes, data: kept.origin });
    kept.feeds ??= await openFeeds(classifier, data, { recipe, microBatch, options, turns });
    const { feeds } = kept;
    const sizes = { train: feeds.train.size, validation: feeds.validation.size };
    if (sizes.train === 0 && !options.signal?.aborted) throw nothingToRead();
    const optimizer = new Optimizer(network.namedParameters(), recipe.optimizer);
    let training: Training | undefined;
    try {
      training = await prepareTraining(captures(gpu), classifier, { recipe, microBatch, optimizer, sizes });
      options.onProgress?.({ kind: 'compile' });
      const run = new Run(kept, classifier, settings, { feeds, optimizer, training });
      if (saved) run.#resume(saved);
      return run;
    } catch (error) {
      training?.dispose();
      optimizer.dispose();
      throw error;
    }
  }

  get memory(): MemoryUse {
    return this.#memory;
  }

  /** Trains, restores the best weights and tells what happened. */
  async toEnd(): Promise<FineTuneResult> {
    const { ended, reason } = await this.#train();
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
      seconds: (performance.now() - this.#kept.began) / 1000,
      peakBytes: Math.max(this.#kept.peakBytes, gpu.memory().peakBytes),
      memory: this.#memory,
      adapter: gpu.adapter.description || `${gpu.adapter.vendor} ${gpu.adapter.architecture}`,
      choices: choicesHash(gpu),
    };
  }

  dispose(): void {
    this.#training.dispose();
    this.#optimizer.dispose();
  }

  /** All epochs that are left. */
  async #train(): Promise<{ ended: FineTuneResult['ended']; reason: string | null }> {
    const { epochs, patience } = this.#recipe;
    for (let epoch = this.#history.length; epoch < epochs; epoch++) {
      if (this.#patienceIsOver(patience)) return { ended: 'early', reason: null };
      try {
        if (!(await this.#epoch(epoch))) return { ended: 'interrupted', reason: null };
      } catch (error) {
        if (error instanceof TrainingError) return { ended: 'diverged', reason: error.message };
        throw error;
      }
      await this.#snapshot();
    }
    return { ended: this.#patienceIsOver(patience) && this.#history.length < epochs ? 'early' : 'finished', reason: null };
  }

  /** What is left of an epoch, then validation. False when it was interrupted: it is no part of the history then. */
  async #epoch(epoch: number): Promise<boolean> {
    const { seed, batchSize, schedule, epochs, optimizer: { lr } } = this.#recipe;
    const { train } = this.#feeds;
    const { least, steps: trainSteps } = this.#training;
    const from = this.#within ?? NOT_BEGUN;
    this.#within = undefined;
    const began = this.#turns.now();
    const seconds = (): number => from.seconds + (this.#turns.now() - began) / 1000;
    const steps = Math.floor(train.size / batchSize) + (train.size % batchSize >= least ? 1 : 0);
    const rate = (step: number): number => rateAt(schedule, epoch * steps + step, epochs * steps, lr);
    const meter = new LossMeter(this.#optimizer.steps - from.step, ({ loss, images, step }) => {
      const imagesPerSecond = (images - from.images) / (seconds() - from.seconds);
      this.#report({ kind: 'step', epoch: epoch + 1, epochs, step, steps, loss, imagesPerSecond });
    }, from);
    const order = shuffle(train.size, seed, epoch);
    let { position, step } = from;
    if (step > 0) this.#optimizer.lr = rate(step - 1); // the epoch's, if no step is left
    const within = async (): Promise<Within> => ({ ...(await meter.state()), position, seconds: seconds() });
    let trainLoss: number;
    let interrupted: Within | undefined;
    try {
      for await (const { inputs, targets, end } of train.batches(order.subarray(position), batchSize, epoch)) {
        if (targets.length >= least) {
          if (!(await this.#turns.next())) break;
          this.#optimizer.lr = rate(step++);
          await meter.add(await trainSteps.run(inputs, targets, () => this.#turns.next()));
        }
        position = from.position + end;
        if (this.#snapshotIsDue() && position < order.length) await this.#snapshot(await within());
      }
      trainLoss = await meter.finish();
      interrupted = await within();
    } finally {
      meter.dispose();
    }
    const { signal } = this.#options;
    if (step === 0 && !signal?.aborted) throw nothingToRead();
    const evaluation = signal?.aborted ? null : await this.#evaluate();
    if (signal?.aborted) {
      if (step > 0 && this.#kept.snapshots.outlast) await this.#snapshot(interrupted);
      return false;
    }
    await this.#record(epoch, trainLoss, evaluation, seconds());
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
      this.#kept.evaluation = { epoch: epoch + 1, evaluation };
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

  #snapshotIsDue(): boolean {
    const { checkpointEvery = Infinity } = this.#options;
    return performance.now() - this.#lastSnapshot >= 1000 * checkpointEvery;
  }

  async #snapshot(within?: Within): Promise<void> {
    const { steps, tensors } = await this.#optimizer.stateDict();
    await this.#kept.snapshots.save({
      recipe: this.#recipe,
      microBatch: this.#memory.microBatch,
      classes: this.#classifier.classes,
      epoch: this.#history.length,
      ...(within && { within }),
      bestEpoch: this.#bestEpoch,
      history: [...this.#history],
      data: this.#kept.origin,
      optimizerSteps: steps,
      model: within === undefined && this.#bestEpoch === this.#history.length ? this.#best : await this.#changing(),
      best: this.#best,
      optimizer: tensors,
    });
    this.#lastSnapshot = performance.now();
  }

  #resume(saved: Checkpoint): void {
    this.#classifier.network.loadStateDict(saved.model, { strict: false });
    this.#optimizer.loadStateDict({ steps: saved.optimizerSteps, tensors: saved.optimizer });
    this.#history.push(...saved.history);
    this.#best = new Map(saved.best);
    this.#bestEpoch = saved.bestEpoch;
    this.#within = saved.within;
    const { evaluation } = this.#kept;
    if (evaluation?.epoch === saved.bestEpoch) this.#bestEvaluation = evaluation.evaluation;
    this.#report({ kind: 'resume', ...placeOf(saved) });
  }

  #report(event: ProgressEvent): void {
    this.#options.onProgress?.(event);
  }
}

function nothingToRead(): DataError {
  return new DataError('fineTune: none of the training images could be read; see the skipped ones for why');
}

/** Higher accuracy, then lower loss; without validation the later epoch. */
function isBetter(a: EpochRecord, b: EpochRecord): boolean {
  if (a.validationAccuracy === null || b.validationAccuracy === null) return true;
  if (a.validationAccuracy !== b.validationAccuracy) return a.validationAccuracy > b.validationAccuracy;
  return (a.validationLoss ?? 0) < (b.validationLoss ?? 0);
}
