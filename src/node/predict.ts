/** Classes of image files, by a loaded model. */
import { readdir, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { DataError, UsageError } from '../errors';
import { ImageError } from '../data/dataset';
import type { Classifier } from '../transfer/classifier';
import { describeFileError } from './fileErrors';
import { DecodePool } from './imagePool';
import { IMAGE_EXTENSIONS } from '../data/folderNames';

export interface FilePrediction {
  readonly path: string;
  /** The likeliest classes, likeliest first. */
  readonly top: readonly { readonly class: string; readonly probability: number }[];
}

export interface PredictOptions {
  /** Classes told for each image. Default 5, or all when there are fewer. */
  readonly topK?: number;
  /** Images in one pass. Default 16. */
  readonly batchSize?: number;
  /** Told of each image that cannot be read; it has no prediction. Without it, such an image throws. */
  readonly onSkip?: (skipped: { readonly path: string; readonly reason: string }) => void;
}

/**
 * Predicts the classes of image files, in the order given; predictions come as their batch is done.
 * @throws UsageError when an option is out of range; ImageError for an unreadable image without `onSkip`.
 */
export async function* predictFiles(classifier: Classifier, paths: readonly string[], options: PredictOptions = {}): AsyncGenerator<FilePrediction, void, void> {
  const { topK = 5, batchSize = 16, onSkip } = options;
  for (const [name, value] of [['topK', topK], ['batchSize', batchSize]] as const) {
    if (!Number.isInteger(value) || value < 1) throw new UsageError(`predictFiles: ${name} must be a whole number of at least 1, got ${value}`);
  }
  const { preprocessing, classes } = classifier;
  const pool = new DecodePool();
  try {
    for (let start = 0; start < paths.length; start += batchSize) {
      const batch = paths.slice(start, start + batchSize);
      const loaded = await Promise.all(batch.map((path) => pool.run({ path, name: path, preprocessing }).catch((error: unknown) => {
        if (!(error instanceof ImageError) || !onSkip) throw error;
        onSkip({ path, reason: error.reason });
        return undefined;
      })));
      const good = batch.flatMap((path, i) => (loaded[i] ? [{ path, data: loaded[i] }] : []));
      if (good.length === 0) continue;
      const inputs = new Float32Array(good.length * good[0].data.length);
      good.forEach(({ data }, i) => inputs.set(data, i * data.length));
      const probabilities = await classifier.predict(inputs, good.length);
      for (const [i, { path }] of good.entries()) {
        const row = probabilities.subarray(i * classes.length, (i + 1) * classes.length);
        const order = Array.from(row.keys()).sort((a, b) => row[b] - row[a]).slice(0, topK);
        yield { path, top: order.map((index) => ({ class: classes[index], probability: row[index] })) };
      }
    }
  } finally {
    await pool.close();
  }
}

/**
 * The images that paths mean: a file is itself, a folder all images in it and below, in order of names.
 * @throws DataError for a path that is not there, or a folder without images.
 */
export async function findImages(paths: readonly string[]): Promise<string[]> {
  const images: string[] = [];
  for (const path of paths) {
    let folder: boolean;
    try {
      folder = (await stat(path)).isDirectory();
    } catch (error) {
      throw new DataError(`image '${path}': ${describeFileError(error)}`, { cause: error });
    }
    if (!folder) {
      images.push(path);
      continue;
    }
    const entries = await readdir(path, { recursive: true, withFileTypes: true });
    const found = entries
      .filter((entry) => !entry.isDirectory() && !entry.name.startsWith('.') && IMAGE_EXTENSIONS.includes(extname(entry.name).toLowerCase()))
      .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
      .sort();
    if (found.length === 0) throw new DataError(`folder '${path}': holds no images (${IMAGE_EXTENSIONS.join(', ')})`);
    images.push(...found);
  }
  return images;
}
