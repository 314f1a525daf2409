/** Where images lie in the space that the last layer separates: what the trunk makes of each. */
import { UsageError } from '../errors';
import type { Dataset, Item } from '../data/dataset';
import type { Classifier } from './classifier';
import type { FeatureStore } from './featureCache';
import { featuresOf } from './feed';
import { Turns } from './turns';
import type { ProgressEvent } from './types';

export interface EmbedOptions {
  /** Knows features of earlier calls and of `fineTune`, and is given new ones. Default: none. */
  readonly features?: FeatureStore;
  /** Images that go through the network at once, at most. Default 32. */
  readonly batchSize?: number;
  /** Ends early, with the images that are done. */
  readonly signal?: AbortSignal;
  /** Told of images that cannot be read; they have no features. */
  readonly onSkip?: (skipped: { path: string; reason: string }) => void;
  readonly onProgress?: (done: number, total: number) => void;
}

export interface Embedded {
  /** The images that have features, in the dataset's order. */
  readonly items: readonly Item[];
  /** Features of each, [length]. */
  readonly features: readonly Float32Array[];
  /** Numbers in a row: the width of the network's last layer. */
  readonly length: number;
}

/**
 * The network's features of each image of a dataset, as `fc` sees them: those that `fineTune` trains the head on. Images
 * of the same content are computed once. With a store, what was computed for the same weights is not computed again.
 */
export async function embed(classifier: Classifier, dataset: Dataset, { features: store, batchSize = 32, signal, onSkip, onProgress }: EmbedOptions = {}): Promise<Embedded> {
  if (!Number.isInteger(batchSize) || batchSize < 1) throw new UsageError(`embed: batchSize must be a whole number of at least 1, got ${batchSize}`);
  const report = (event: ProgressEvent): void => {
    if (event.kind === 'skip') onSkip?.(event);
    if (event.kind === 'features') onProgress?.(event.done, event.total);
  };
  const { features } = await featuresOf(classifier, [dataset], { microBatch: batchSize, turns: new Turns({ signal }), signal, onProgress: report, ...(store && { store }) });
  const items = dataset.items.filter(({ hash }) => features.has(hash));
  return { items, features: items.map(({ hash }) => features.get(hash) as Float32Array), length: classifier.network.numFeatures };
}
