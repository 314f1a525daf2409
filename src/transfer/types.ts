/** What fine-tuning takes and tells: plain data, fit for JSON, reports and progress displays. */
import type { Augmentation } from '../data/augment';
import type { TrainReport } from '../layers/module';
import type { Recompute } from '../models/resnet';
import type { OptimizerOptions } from '../optim/optimizer';
import type { ScheduleName } from '../optim/schedule';
import type { FeatureStore } from './featureCache';
import type { Precision } from './precision';

/** Keeps one checkpoint. `save` must replace the old one only when the new one is complete. */
export interface CheckpointStore {
  load(): Promise<Uint8Array<ArrayBuffer> | undefined>;
  save(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
}

export interface FineTuneOptions {
  /**
   * What is trained: `head` (the last layer), `full`, or a name prefix: that part of the network and all after it
   * (`layer4` trains layer4 and fc). Default `head`.
   */
  readonly plan?: string;
  /** Passes over the training images. Default 20 for `head`, 10 otherwise. */
  readonly epochs?: number;
  /** Images in a step. Default 32. */
  readonly batchSize?: number;
  /**
   * Images that go through the network at once, at most; gradients of several such parts add up to the batch's. The
   * result is the same but for rounding, except that batch norm that follows the batch then follows a part, as in
   * PyTorch. Features of a frozen trunk are computed in such parts too. Default: the batch, or what `memoryBudget` leaves.
   */
  readonly microBatch?: number;
  /** Blocks that keep only their input for the backward and run again there; see `ResNet.recompute`. Default: the network's own. */
  readonly recompute?: Recompute;
  /**
   * Bytes of GPU memory to stay within. Chooses `microBatch`, and where even one image at a time needs more, turns
   * `recompute` on. Default: none, as no adapter tells how much it has.
   */
  readonly memoryBudget?: number;
  /**
   * `float16` keeps and computes the parts that are not trained in f16, rounding their weights for good: half their
   * memory. What is trained stays f32. Needs the adapter's shader-f16. Default: what the classifier was loaded with.
   */
  readonly precision?: Precision;
  /** Default AdamW; rate 1e-2 for `head`, 1e-3 otherwise; weight decay 0.01. */
  readonly optimizer?: Partial<OptimizerOptions> & { readonly name?: 'sgd' | 'adamw' };
  /** Default `cosine`. */
  readonly schedule?: ScheduleName;
  /** Default 0. */
  readonly labelSmoothing?: number;
  /** Largest norm of all gradients together; larger ones are scaled down. Default: none. */
  readonly clipNorm?: number;
  /**
   * Batch norm of parts that are trained: `update` normalises by the batch and moves the running statistics, `hold`
   * keeps them. Frozen parts always hold. Default `hold` unless the plan is `full`.
   */
  readonly bn?: 'hold' | 'update';
  /** Random views of the training images. Default none. With it, features of a frozen trunk cannot be kept. */
  readonly augment?: Augmentation;
  /** Stop after so many epochs without a better one; 0 never stops early. Default 10. */
  readonly patience?: number;
  /** Decides shuffling, augmentation and the new head. The same seed on the same adapter gives the same bits. Default 0. */
  readonly seed?: number;
  /** Keeps features of a frozen trunk between runs. Default: in memory, for this run. */
  readonly features?: FeatureStore;
  /** Where the state after each epoch is kept, for `resume`. Default: nowhere that outlives the run. */
  readonly checkpoint?: CheckpointStore;
  /** Continue from the checkpoint, if there is one. Default false. */
  readonly resume?: boolean;
  /**
   * Seconds between snapshots within an epoch, for a checkpoint, and between additions to `features`. Default: a snapshot
   * after each epoch, and one where a run is interrupted; features every 10 seconds.
   */
  readonly checkpointEvery?: number;
  /**
   * Awaited before each step of training, between the parts that a batch goes through the network in, and before each
   * batch of features and each batch of validation. Training rests as long as it takes: for a pause, or for other work on
   * the device, such as a prediction with the weights of that moment, which changes no bit of the result. An aborted signal
   * ends the wait. What it takes counts for no epoch's time.
   */
  readonly betweenSteps?: () => void | Promise<void>;
  /** Stops cleanly at the next step when aborted; the best model so far is kept. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (event: ProgressEvent) => void;
}

/** Options with every default filled in; what a model card and a checkpoint record. */
export interface Recipe {
  readonly plan: string;
  readonly epochs: number;
  readonly batchSize: number;
  readonly optimizer: OptimizerOptions;
  readonly schedule: ScheduleName;
  readonly labelSmoothing: number;
  readonly clipNorm: number | null;
  readonly bn: 'hold' | 'update';
  readonly augment: Augmentation | null;
  readonly patience: number;
  readonly seed: number;
  /** Of what is not trained. */
  readonly precision: Precision;
}

/** How a run fits into memory. */
export interface MemoryUse {
  /** Images that go through the network at once. Where that is less than the batch, gradients add up to the batch's. */
  readonly microBatch: number;
  readonly recompute: Recompute;
  /** Bytes asked for; null for no limit. */
  readonly budget: number | null;
  /** Bytes that the run was expected to take, before it began. */
  readonly estimate: number;
}

export type ProgressEvent =
  /** Before anything is computed, and again when there turned out to be less memory. */
  | { readonly kind: 'memory'; readonly batchSize: number; readonly memory: MemoryUse }
  /** Every program is ready to run. */
  | { readonly kind: 'compile' }
  /** Training goes on from a snapshot: so many epochs, and so many steps of the next one, are done. What came after is done again. */
  | { readonly kind: 'resume'; readonly epoch: number; readonly step: number }
  /** Features of a frozen trunk: so many of the images are done. */
  | { readonly kind: 'features'; readonly done: number; readonly total: number; readonly cached: number }
  | {
      readonly kind: 'step';
      /** From 1. */
      readonly epoch: number;
      readonly epochs: number;
      /** Steps done in this epoch, and steps in an epoch. */
      readonly step: number;
      readonly steps: number;
      /** Mean loss of the epoch so far. */
      readonly loss: number;
      readonly imagesPerSecond: number;
    }
  | { readonly kind: 'epoch'; readonly record: EpochRecord; readonly best: boolean }
  | { readonly kind: 'skip'; readonly path: string; readonly reason: string }
  | { readonly kind: 'note'; readonly message: string };

export interface EpochRecord {
  /** From 1. */
  readonly epoch: number;
  readonly lr: number;
  readonly trainLoss: number;
  /** Null where there are no validation images. */
  readonly validationLoss: number | null;
  readonly validationAccuracy: number | null;
  readonly seconds: number;
}

/** One judged image. */
export interface Prediction {
  readonly name: string;
  readonly path?: string;
  /** Indices into the classes. */
  readonly label: number;
  readonly predicted: number;
  /** Of the predicted class and of the label. */
  readonly confidence: number;
  readonly labelProbability: number;
}

export interface Evaluation {
  readonly count: number;
  readonly loss: number;
  readonly accuracy: number;
  /** Rows: true class; columns: predicted class. */
  readonly confusion: readonly (readonly number[])[];
  readonly predictions: readonly Prediction[];
}

export interface FineTuneResult {
  readonly recipe: Recipe;
  readonly history: readonly EpochRecord[];
  /** The epoch whose weights were kept, from 1; 0 when none was finished. */
  readonly bestEpoch: number;
  /** Why training ended. */
  readonly ended: 'finished' | 'early' | 'interrupted' | 'diverged';
  /** For `diverged`: at which step, and what to try. */
  readonly reason: string | null;
  /** Of the kept weights; null without validation images, or when a resumed run was interrupted before a better epoch. */
  readonly validation: Evaluation | null;
  readonly parameters: TrainReport;
  /** Names of the trained parameters. */
  readonly trained: readonly string[];
  /** Batch norms that held their statistics, and all of them. */
  readonly batchNorm: { readonly held: number; readonly total: number };
  /** How features of a frozen trunk were had; null where the trunk ran in every step. */
  readonly features: { readonly computed: number; readonly reused: number } | null;
  readonly images: { readonly train: number; readonly validation: number };
  readonly seconds: number;
  readonly peakBytes: number;
  readonly memory: MemoryUse;
  readonly adapter: string;
  /** Names the table of algorithms that was in use: the same seed gives the same bits on the same adapter with the same table. */
  readonly choices: string;
}
