/**
 * Where training and evaluation get their batches: images, or features of a frozen trunk computed once. Both give the
 * same network the same work, only from another layer on.
 */
import { batches } from '../data/loader';
import type { Augmentation } from '../data/augment';
import type { ImageCollection } from '../data/collection';
import type { Dataset, Item } from '../data/dataset';
import type { Classifier } from './classifier';
import type { FeatureStore, Features } from './featureCache';
import { trunkFingerprint } from './featureCache';
import { trainsOnFeatures } from './plan';
import { captures, type Passes } from './programs';
import { prepareFeatures } from './training';
import { Turns } from './turns';
import type { FineTuneOptions, ProgressEvent, Recipe } from './types';

export interface FeedBatch {
  /** Elements of a tensor of shape `[size, ...feed.shape]`. */
  readonly inputs: Float32Array;
  readonly targets: Int32Array;
  readonly items: readonly Item[];
  /** Entries of the order that are done with this batch, those left out included. */
  readonly end: number;
}

export interface Feed {
  readonly size: number;
  /** Of one item. */
  readonly shape: readonly number[];
  /** Batches of the items named in `order`. `epoch` and `seed` decide random views. */
  batches(order: ArrayLike<number>, batchSize: number, epoch: number): AsyncIterable<FeedBatch>;
}

/** What a run is fed. */
export interface Feeds {
  readonly train: Feed;
  readonly validation: Feed;
  readonly features: { readonly computed: number; readonly reused: number } | null;
}

type OnProgress = (event: ProgressEvent) => void;

/** Images, decoded ahead of the step that wants them. */
export function imageFeed(
  { preprocessing }: Classifier,
  dataset: Dataset,
  { augment, seed = 0, onProgress }: { augment?: Augmentation | null; seed?: number; onProgress?: OnProgress } = {},
): Feed {
  const { cropSize } = preprocessing;
  const skipped = new Set<string>();
  return {
    size: dataset.items.length,
    shape: [cropSize, cropSize, 3],
    async *batches(order, batchSize, epoch) {
      const onSkip = ({ path, reason }: { path: string; reason: string }): void => {
        if (!skipped.has(path)) onProgress?.({ kind: 'skip', path, reason });
        skipped.add(path);
      };
      const options = { batchSize, order, preprocessing, epoch, seed, onSkip, ...(augment ? { augment } : {}) };
      for await (const { inputs, targets, indices, end } of batches(dataset, options)) {
        yield { inputs, targets, items: indices.map((index) => dataset.items[index]), end };
      }
    },
  };
}

/** Features of images by content hash; items whose image could not be read are left out. */
function featureFeed({ network }: Classifier, dataset: Dataset, features: Features): Feed {
  const items = dataset.items.filter(({ hash }) => features.has(hash));
  const length = network.numFeatures;
  return {
    size: items.length,
    shape: [length],
    async *batches(order, batchSize) {
      for (let start = 0; start < order.length; start += batchSize) {
        const end = Math.min(start + batchSize, order.length);
        const chosen = Array.from({ length: end - start }, (_, i) => items[order[start + i]]);
        const inputs = new Float32Array(chosen.length * length);
        chosen.forEach(({ hash }, i) => inputs.set(features.get(hash) as Float32Array, i * length));
        yield { inputs, targets: Int32Array.from(chosen, ({ label }) => label), items: chosen, end };
      }
    },
  };
}

/** What `featuresOf` did: features by image hash, of every image that could be read. */
export interface Computed {
  readonly features: Features;
  readonly computed: number;
  readonly reused: number;
}

export interface FeatureOptions {
  readonly store?: FeatureStore;
  /** Images at once, at most. */
  readonly microBatch: number;
  /** Seconds between additions to the store: what a crash costs. Default 10. */
  readonly keepEvery?: number;
  readonly turns?: Turns;
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
}

/**
 * The trunk's features of several datasets' images. What the store knows is reused; the rest is computed once and added
 * to it as it comes, so that a pass that is broken off is gone on with. Ends early, with what there is, when `signal` is
 * aborted.
 */
export async function featuresOf(
  classifier: Classifier,
  datasets: readonly Dataset[],
  { store, microBatch, keepEvery = 10, signal, turns = new Turns({ signal }), onProgress }: FeatureOptions,
): Promise<Computed> {
  const { network, preprocessing } = classifier;
  const fingerprint = store ? await trunkFingerprint(network.architecture, await network.stateDict((name) => !name.startsWith('fc.')), preprocessing) : '';
  const known = new Map(await store?.load(fingerprint));
  const isKnown = (hash: string): boolean => known.get(hash)?.length === network.numFeatures;
  const hashes = new Set(datasets.flatMap((dataset) => dataset.items.map(({ hash }) => hash)));
  const total = hashes.size;
  const reused = [...hashes].filter(isKnown).length;
  const wanted = new Set([...hashes].filter((hash) => !isKnown(hash)));
  const added: Features = new Map();
  const stored = new Stored(store, fingerprint, keepEvery);
  onProgress?.({ kind: 'features', done: reused, total, cached: reused });
  let passes: Passes | undefined;
  try {
    for (const dataset of datasets) {
      // Each content once, where it stands first.
      const missing = dataset.items.flatMap(({ hash }, index) => (wanted.delete(hash) ? [index] : []));
      if (missing.length === 0 || signal?.aborted) continue;
      const images = imageFeed(classifier, dataset, { onProgress });
      // In parts of one size, however many are known: an image's features are the same bits in whichever pass it comes.
      passes ??= await prepareFeatures(captures(network.gpu), classifier, total, microBatch);
      for await (const { inputs, items } of images.batches(missing, passes.most, 0)) {
        if (!(await turns.next())) break;
        const rows = await passes.run(items.length, inputs);
        items.forEach(({ hash }, i) => {
          const values = rows.slice(i * network.numFeatures, (i + 1) * network.numFeatures);
          added.set(hash, values);
          stored.put(hash, values);
        });
        onProgress?.({ kind: 'features', done: reused + added.size, total, cached: reused });
        stored.check();
      }
    }
  } finally {
    passes?.dispose();
    network.gpu.trim(); // what training needs has other sizes
    await stored.end(); // also where a device is lost on the way
  }
  const all: Features = new Map([...known, ...added]);
  return { features: all, computed: added.size, reused };
}

/** Adds features to a store in groups, each so many seconds after its first: also while the run has a pause. */
class Stored {
  readonly #store: FeatureStore | undefined;
  readonly #fingerprint: string;
  readonly #milliseconds: number;
  #group: Features = new Map();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #adding: Promise<void> = Promise.resolve();
  #failure: { readonly error: unknown } | undefined;

  constructor(store: FeatureStore | undefined, fingerprint: string, seconds: number) {
    this.#store = store;
    this.#fingerprint = fingerprint;
    this.#milliseconds = Math.min(1000 * seconds, 2 ** 31 - 1); // what timers can count to
  }

  put(hash: string, values: Float32Array): void {
    if (!this.#store) return;
    this.#group.set(hash, values);
    this.#timer ??= setTimeout(() => this.#add(), this.#milliseconds);
  }

  /** @throws what the store threw. */
  check(): void {
    if (this.#failure) throw this.#failure.error;
  }

  /** Adds what is left. @throws what the store threw. */
  async end(): Promise<void> {
    this.#add();
    await this.#adding;
    this.check();
  }

  #add(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const features = this.#group;
    this.#group = new Map();
    if (features.size === 0) return;
    this.#adding = this.#adding.then(() => (this.#failure ? undefined : this.#store?.add(this.#fingerprint, features))).catch((error: unknown) => {
      this.#failure ??= { error };
    });
  }
}

/** Features where the trunk is frozen and the images never change, else the images. */
export async function openFeeds(
  classifier: Classifier,
  data: ImageCollection,
  { recipe, microBatch, options, turns }: { readonly recipe: Recipe; readonly microBatch: number; readonly options: FineTuneOptions; readonly turns: Turns },
): Promise<Feeds> {
  const { augment, seed } = recipe;
  const { features: store, checkpointEvery: keepEvery, signal, onProgress } = options;
  if (trainsOnFeatures(classifier.network, recipe)) {
    const { features, computed, reused } = await featuresOf(classifier, [data.train, data.validation], { store, microBatch, keepEvery, turns, signal, onProgress });
    return { train: featureFeed(classifier, data.train, features), validation: featureFeed(classifier, data.validation, features), features: { computed, reused } };
  }
  return {
    train: imageFeed(classifier, data.train, { augment, seed, onProgress }),
    validation: imageFeed(classifier, data.validation, { onProgress }),
    features: null,
  };
}
