/** Batches of network input, decoded ahead of the training step that will want them. */
import { DataError, UsageError } from '../errors';
import { checkAugmentation } from './augment';
import type { Augmentation } from './augment';
import { ImageError } from './dataset';
import type { Dataset } from './dataset';
import { checkPreprocessing } from './preprocess';
import type { Preprocessing } from './preprocess';

export interface BatchOptions {
  readonly batchSize: number;
  readonly preprocessing: Preprocessing;
  /** Indices into the dataset, an index may come twice; default all in order. See `shuffle`. */
  readonly order?: ArrayLike<number>;
  /** Random views in place of centre crops; drawn from `seed`, `epoch` and each image's content. */
  readonly augment?: Augmentation;
  /** Default 0. */
  readonly epoch?: number;
  /** Default 0. */
  readonly seed?: number;
  /** Batches being decoded while the caller works on one; default 2. */
  readonly prefetch?: number;
  /** Leave out a last batch that is smaller than the others; default false. */
  readonly dropLast?: boolean;
  /** Told of each image that cannot be read, in the order of the batches. */
  readonly onSkip?: (skipped: { readonly index: number; readonly path: string; readonly reason: string }) => void;
}

/** Images that could not be read are absent, so a batch may be smaller than asked for, but it is never empty. */
export interface Batch {
  /** Float32 of shape [size, cropSize, cropSize, 3]. */
  readonly inputs: Float32Array;
  /** Class of each image, [size]. */
  readonly targets: Int32Array;
  /** Dataset index of each image. */
  readonly indices: readonly number[];
  readonly size: number;
  /** Entries of the order that are done with this batch, those of images that could not be read included. */
  readonly end: number;
}

interface Loaded {
  readonly index: number;
  readonly result: Float32Array | DataError;
}

/**
 * Walks the dataset once, batch by batch. An image that cannot be decoded is reported to `onSkip` and left out.
 * Leaving the loop early is fine: nothing more is started.
 * @throws UsageError or DataError when an option is out of range
 */
export async function* batches(dataset: Dataset, options: BatchOptions): AsyncGenerator<Batch, void, void> {
  const { batchSize, augment, epoch = 0, seed = 0, prefetch = 2, dropLast = false } = options;
  const preprocessing = checkPreprocessing(options.preprocessing);
  if (augment !== undefined) checkAugmentation(augment);
  if (!Number.isInteger(batchSize) || batchSize < 1) {
    throw new UsageError(`batches: batchSize must be a whole number of at least 1, got ${batchSize}`);
  }
  if (!Number.isInteger(prefetch) || prefetch < 0) {
    throw new UsageError(`batches: prefetch must be a whole number of at least 0, got ${prefetch}`);
  }
  const order = options.order === undefined ? dataset.items.map((_, index) => index) : Array.from(options.order);
  const seen = new Map<number, number>();

  const loadOne = async (index: number): Promise<Loaded> => {
    const repeat = seen.get(index) ?? 0;
    seen.set(index, repeat + 1);
    const draw = augment === undefined ? undefined : { augmentation: augment, seed, epoch, repeat };
    try {
      return { index, result: await dataset.load(index, preprocessing, draw) };
    } catch (error) {
      if (error instanceof DataError) return { index, result: error };
      throw error;
    }
  };

  const queue: { readonly loading: Promise<Loaded[]>; readonly end: number }[] = [];
  const last = dropLast ? order.length - (order.length % batchSize) : order.length;
  let next = 0;
  const refill = (): void => {
    while (queue.length <= prefetch && next < last) {
      const end = Math.min(next + batchSize, last);
      const loading = Promise.all(order.slice(next, end).map(loadOne));
      loading.catch(() => undefined); // an abandoned loop must not raise; a live one meets the error below
      queue.push({ loading, end });
      next = end;
    }
  };

  for (;;) {
    refill();
    const first = queue.shift();
    if (first === undefined) return;
    const loaded = await first.loading;
    refill();
    const batch = pack(dataset, loaded, first.end, options.onSkip);
    if (batch !== undefined) yield batch;
  }
}

function pack(dataset: Dataset, loaded: readonly Loaded[], end: number, onSkip: BatchOptions['onSkip']): Batch | undefined {
  const good: { index: number; input: Float32Array }[] = [];
  for (const { index, result } of loaded) {
    if (result instanceof DataError) {
      const reason = result instanceof ImageError ? result.reason : result.message;
      onSkip?.({ index, path: dataset.items[index].name, reason });
    } else {
      good.push({ index, input: result });
    }
  }
  if (good.length === 0) return undefined;
  const length = good[0].input.length;
  const inputs = new Float32Array(good.length * length);
  good.forEach(({ input }, i) => inputs.set(input, i * length));
  return {
    inputs,
    targets: Int32Array.from(good, ({ index }) => dataset.items[index].label),
    indices: good.map(({ index }) => index),
    size: good.length,
    end,
  };
}
