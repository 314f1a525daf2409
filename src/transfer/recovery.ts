/**
 * Fine-tuning that outlives its device. A driver reset, a tab in the background or a crashed GPU process takes the device
 * and all memory on it; the run then goes on, on a new one, from its last snapshot, to the bits of an unbroken run.
 */
import { DeviceError, DeviceLostError, UsageError } from '../errors';
import type { ImageCollection } from '../data/collection';
import type { Classifier } from './classifier';
import type { Features, FeatureStore } from './featureCache';
import { trainKeeping } from './fineTune';
import { Kept, placeInWords } from './kept';
import type { FineTuneOptions, FineTuneResult, ProgressEvent } from './types';

export interface RecoveryOptions extends FineTuneOptions {
  /**
   * Losses in a row that are made good; one more ends the run with its DeviceLostError. A snapshot, or images whose
   * features were computed, begin a new count. Default 3.
   */
  readonly maxLosses?: number;
  /**
   * Told of the classifier that is trained: the first, and after each loss the one that takes its place. The one before
   * is disposed by then, and of no more use.
   */
  readonly onClassifier?: (classifier: Classifier) => void;
  /** As `fineTune`'s; here by default 60, so that a loss costs a minute's work at most. */
  readonly checkpointEvery?: number;
}

export interface Recovered {
  /** With the best epoch's weights; on the device that was opened last. */
  readonly classifier: Classifier;
  /** As of an unbroken run. */
  readonly result: FineTuneResult;
  /** Devices that were lost on the way. */
  readonly losses: number;
}

/** Milliseconds before the second attempt at a new device; each wait after it is twice as long. */
const FIRST_WAIT = 250;
/** Attempts at a new device: half a minute in all. */
const ATTEMPTS = 8;

/**
 * `fineTune`, which goes on when the device is lost. Each loss is told by a progress event of kind `note`, and `resume`
 * tells from where training goes on, if not from the start. Snapshots go to `options.checkpoint`, else they are kept in
 * memory; computed features are kept in memory.
 *
 * A device that the caller destroyed with `gpu.destroy()` is not lost: the error says that it was destroyed.
 *
 * @param open loads the model that is trained. Called once at first and again after each loss, when it must give the same
 * weights on a new device: `() => load('resnet18')` does, as the shared device is opened anew once it was lost. While it
 * finds no device it is called again for half a minute, as a driver's reset takes a moment.
 * @throws what `open` and `fineTune` throw, and DeviceLostError past `maxLosses`. The classifier is the caller's then, if
 * `onClassifier` told of it; else it is disposed.
 */
export async function fineTuneWithRecovery(
  open: () => Promise<Classifier>,
  data: ImageCollection,
  options: RecoveryOptions = {},
): Promise<Recovered> {
  const { maxLosses = 3, onClassifier, features: store, ...rest } = options;
  if (!Number.isInteger(maxLosses) || maxLosses < 0) throw new UsageError(`fineTuneWithRecovery: maxLosses must be a whole number of at least 0, got ${maxLosses}`);
  const kept = new Kept(options, { reopens: true });
  const features = new KeptFeatures(store);
  const settings = { checkpointEvery: 60, ...rest, features, onProgress: (event: ProgressEvent): void => options.onProgress?.(features.correct(event)) };
  const progress = (): number => kept.snapshots.count + features.own.size;
  let losses = 0;
  let inARow = 0;
  let reached = 0;
  let classifier = await open();
  for (;;) {
    try {
      onClassifier?.(classifier);
      features.begin();
      const result = await trainKeeping(kept, classifier, data, settings);
      return { classifier, result: { ...result, features: features.count(result.features) }, losses };
    } catch (error) {
      if (!(error instanceof DeviceLostError) || !classifier.gpu.lost) {
        if (!onClassifier) classifier.dispose();
        throw error;
      }
      classifier.dispose();
      losses++;
      inARow = progress() > reached ? 1 : inARow + 1;
      reached = progress();
      if (inARow > maxLosses) throw error;
      kept.peakBytes = Math.max(kept.peakBytes, classifier.gpu.memory().peakBytes);
      classifier = await reopen(open, classifier, error, options.signal);
      const what = error.message.split(';')[0];
      const whence = kept.feeds || features.own.size === 0 ? placeInWords(kept.snapshots.place) : `with the features of ${features.own.size} images`;
      options.onProgress?.({ kind: 'note', message: `${what[0].toUpperCase()}${what.slice(1)}; going on ${whence}, on ${classifier.gpu.adapter.description || 'a new one'}.` });
    }
  }
}

/** The model on another device, as soon as there is one. @throws the loss when the run was interrupted meanwhile. */
async function reopen(open: () => Promise<Classifier>, { gpu }: Classifier, loss: DeviceLostError, signal: AbortSignal | undefined): Promise<Classifier> {
  for (let attempt = 1; ; attempt++) {
    try {
      const classifier = await open();
      if (classifier.gpu !== gpu) return classifier;
      throw new UsageError('fineTuneWithRecovery: `open` gave a classifier on the device that was lost; it must take a new one, with openGpu()');
    } catch (error) {
      if (!(error instanceof DeviceError) || attempt === ATTEMPTS) throw error;
    }
    await wait(FIRST_WAIT * 2 ** (attempt - 1), signal);
    if (signal?.aborted) throw loss;
  }
}

/** So many milliseconds, or until the signal is aborted. */
function wait(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal?.addEventListener('abort', end);
    if (signal?.aborted) end();
  });
}

/** Features that this run computed, over those of the caller's store. They are of one network: there is one fingerprint. */
class KeptFeatures implements FeatureStore {
  readonly own: Features = new Map();
  readonly #store: FeatureStore | undefined;
  /** Of them, those that the present device found here. */
  #before = 0;

  constructor(store: FeatureStore | undefined) {
    this.#store = store;
  }

  /** A device begins. */
  begin(): void {
    this.#before = this.own.size;
  }

  async load(fingerprint: string): Promise<Features> {
    return new Map([...((await this.#store?.load(fingerprint)) ?? []), ...this.own]);
  }

  async add(fingerprint: string, features: ReadonlyMap<string, Float32Array>): Promise<void> {
    for (const [hash, values] of features) this.own.set(hash, values);
    await this.#store?.add(fingerprint, features);
  }

  /** What this run computed is not from an earlier one, whichever device did it. */
  correct(event: ProgressEvent): ProgressEvent {
    return event.kind === 'features' ? { ...event, cached: event.cached - this.#before } : event;
  }

  count(features: FineTuneResult['features']): FineTuneResult['features'] {
    return features && { computed: this.own.size, reused: features.computed + features.reused - this.own.size };
  }
}
