/**
 * Fine-tuning that outlives its device. A driver reset, a tab in the background or a crashed GPU process takes the device
 * and all memory on it; the run then goes on, on a new one, from its last snapshot, to the bits of an unbroken run.
 */
import { DeviceLostError } from '../errors';
import type { ImageCollection } from '../data/collection';
import type { Classifier } from './classifier';
import { fineTune } from './fineTune';
import type { FineTuneOptions, FineTuneResult } from './types';

export interface RecoveryOptions extends FineTuneOptions {
  /**
   * Losses in a row that are made good; one more ends the run with its DeviceLostError. A snapshot, or an image whose
   * features are computed, begins a new count. Default 3.
   */
  readonly maxLosses?: number;
  /**
   * Told of the classifier that is trained: the first, and after each loss the one that takes its place. The one before
   * is disposed then, and is of no more use.
   */
  readonly onClassifier?: (classifier: Classifier) => void;
  /** As `fineTune`'s; here by default 60, so that a loss costs a minute's work. */
  readonly checkpointEvery?: number;
}

export interface Recovered {
  /** With the best epoch's weights; on the last device that was opened. */
  readonly classifier: Classifier;
  /** As of an unbroken run. */
  readonly result: FineTuneResult;
  /** Devices that were lost on the way. */
  readonly losses: number;
}

/**
 * `fineTune`, which goes on when the device is lost. Each loss is told as a progress event of kind `note`, and `resume`
 * says from where training goes on. Snapshots go to `options.checkpoint`, else they are kept in memory; features that
 * were computed are kept in memory.
 *
 * A device that the caller destroyed with `gpu.destroy()` is not lost: the error says that it was destroyed.
 *
 * @param open loads the model that is trained. Called once at first and again after each loss, when it must give the same
 * weights on a new device: `() => load('resnet18')` does, as the shared device is opened anew once it was lost. While it
 * finds no device it is called again for half a minute, as a driver's reset takes a moment.
 * @throws what `open` and `fineTune` throw, and the last DeviceLostError past `maxLosses`.
 */
export async function fineTuneWithRecovery(
  open: () => Promise<Classifier>,
  data: ImageCollection,
  options: RecoveryOptions = {},
): Promise<Recovered> {
  const { maxLosses = 3, onClassifier, ...rest } = options;
  const classifier = await open();
  onClassifier?.(classifier);
  try {
    return { classifier, result: await fineTune(classifier, data, rest), losses: 0 };
  } catch (error) {
    if (error instanceof DeviceLostError && maxLosses > 0) throw error;
    throw error;
  }
}
