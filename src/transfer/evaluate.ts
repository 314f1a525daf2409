/** How a classifier does on labelled images. */
import { DataError, UsageError } from '../errors';
import type { Dataset } from '../data/dataset';
import type { Classifier } from './classifier';
import { imageFeed, type Feed } from './feed';
import { captures, type Passes } from './programs';
import { preparePasses } from './training';
import { Turns } from './turns';
import type { Evaluation, Prediction, ProgressEvent } from './types';

export interface EvaluateOptions {
  /** Default 32. */
  readonly batchSize?: number;
  readonly signal?: AbortSignal;
  /** Told of images that cannot be read; they do not count. */
  readonly onSkip?: (skipped: { path: string; reason: string }) => void;
}

/**
 * Loss (mean cross entropy), accuracy, confusion and every prediction.
 * @throws DataError when the dataset's classes are not the classifier's.
 */
export async function evaluate(classifier: Classifier, dataset: Dataset, options: EvaluateOptions = {}): Promise<Evaluation> {
  const { classes } = classifier;
  if (classes.length !== dataset.classes.length || classes.some((name, i) => name !== dataset.classes[i])) {
    throw new DataError(`evaluate: the images' classes (${dataset.classes.join(', ')}) are not the model's (${classes.slice(0, 12).join(', ')}${classes.length > 12 ? ', …' : ''}); use a folder with the same label names`);
  }
  const onProgress = (event: ProgressEvent): void => {
    if (event.kind === 'skip') options.onSkip?.(event);
  };
  const { batchSize = 32, signal } = options;
  if (!Number.isInteger(batchSize) || batchSize < 1) throw new UsageError(`evaluate: batchSize must be a whole number of at least 1, got ${batchSize}`);
  const feed = imageFeed(classifier, dataset, { onProgress });
  const { network, gpu } = classifier;
  const passes = await preparePasses(captures(gpu), classifier, (x) => network.forward(x), { images: feed.size, most: batchSize });
  try {
    return await evaluateFeed(network.numClasses, feed, passes, new Turns({ signal }));
  } finally {
    passes.dispose();
  }
}

/** The same over any feed, of logits that `passes` give; `count` is 0 when none of it can be read. */
export async function evaluateFeed(classes: number, feed: Feed, passes: Passes, turns: Turns): Promise<Evaluation> {
  const confusion = Array.from({ length: classes }, () => Array<number>(classes).fill(0));
  const predictions: Prediction[] = [];
  let loss = 0;
  let hits = 0;
  const order = Array.from({ length: feed.size }, (_, i) => i);
  for await (const { inputs, items } of feed.batches(order, passes.most, 0)) {
    if (!(await turns.next())) break;
    const logits = await passes.run(items.length, inputs);
    items.forEach(({ name, path, label }, i) => {
      const probabilities = softmaxOf(logits.subarray(i * classes, (i + 1) * classes));
      const predicted = argmax(probabilities);
      loss -= Math.log(Math.max(probabilities[label], Number.MIN_VALUE));
      if (predicted === label) hits++;
      confusion[label][predicted]++;
      predictions.push({
        name,
        ...(path === undefined ? {} : { path }),
        label,
        predicted,
        confidence: probabilities[predicted],
        labelProbability: probabilities[label],
      });
    });
  }
  const count = predictions.length;
  return { count, loss: loss / Math.max(1, count), accuracy: hits / Math.max(1, count), confusion, predictions };
}

/** Probabilities of one image's scores. */
export function softmaxOf(logits: Float32Array): Float64Array {
  const top = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const values = Float64Array.from(logits, (x) => Math.exp(x - top));
  const total = values.reduce((a, b) => a + b, 0);
  return values.map((x) => x / total);
}

/** Index of the largest value; the first of equals. */
export function argmax(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
  return best;
}
