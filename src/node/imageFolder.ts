/** A folder of labelled images as datasets for training, validation and test. */
import { createHash } from 'node:crypto';
import { UsageError } from '../errors';
import { collect } from '../data/collection';
import type { Candidate, ImageCollection, SkippedImage } from '../data/collection';
import { ImageError } from '../data/dataset';
import { checkHeader, readImage } from './decode';
import { DecodePool } from './imagePool';
import { scanFolder } from './imageScan';
import type { ScannedFile } from './imageScan';

/** Files being read and hashed at one time. */
const READ_AHEAD = 8;

export interface ImageFolderOptions {
  /** Share of each class to validate on where the folder has no validation part of its own; default 0.2. */
  readonly validationFraction?: number;
  /** Another number gives another split; default: by content alone. */
  readonly splitSeed?: number;
  /** Decoding threads, 0 for none; default one a core, at most 4. */
  readonly workers?: number;
  /** Called after each file that was looked at. */
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

export interface ImageFolder extends ImageCollection {
  readonly path: string;
  /** Stops the decoding threads. Idle threads keep no process alive, so it may be left out. */
  close(): Promise<void>;
}

/**
 * Reads `path/label/*.jpg|jpeg|png|webp|gif|bmp|tif|tiff|avif`, folders within a label folder included. When `path`
 * holds nothing but `train` and `val`, `valid`, `validation` or `test` folders with labels in them, those are the
 * splits; otherwise images are split by content hash, so neither a name nor the folder's place matters.
 *
 * Classes are in the order of Unicode code points, as torchvision's `ImageFolder` sorts them. Every file is read once,
 * hashed, and its header checked; what cannot be used is in `report`, as are copies and contradictions. An image whose
 * damage shows only in decoding fails alone, when it is loaded.
 *
 * @throws DataError when `path` is not a readable folder, has no images, fewer than two labels with images, or fewer
 *   images than labels
 */
export async function imageFolder(path: string, options: ImageFolderOptions = {}): Promise<ImageFolder> {
  const { validationFraction = 0.2, splitSeed, workers, onProgress, signal } = options;
  if (!(validationFraction >= 0 && validationFraction < 1)) {
    throw new UsageError(`imageFolder: validationFraction must be at least 0 and below 1, got ${validationFraction}`);
  }
  const pool = new DecodePool({ ...(workers !== undefined && { workers }) });
  const scan = await scanFolder(path);
  const { candidates, skipped } = await readAll(scan.files, onProgress, signal);
  const collection = collect({
    what: `image folder '${path}'`,
    candidates,
    labels: scan.labels,
    found: scan.files.length + scan.skipped.length,
    skipped: [...scan.skipped, ...skipped],
    warnings: scan.warnings,
    validationFraction,
    ...(splitSeed !== undefined && { splitSeed }),
    load: (item, preprocessing, augment) => {
      if (item.path === undefined) throw new ImageError(item.name, 'it has no path');
      return pool.run({ path: item.path, name: item.name, preprocessing, ...(augment !== undefined && { augment }) });
    },
  });
  return { ...collection, path, close: () => pool.close() };
}

/** Each file's hash, or why it cannot be used; in the order of `files`. */
async function readAll(
  files: readonly ScannedFile[], onProgress: ImageFolderOptions['onProgress'], signal: AbortSignal | undefined,
): Promise<{ candidates: Candidate[]; skipped: SkippedImage[] }> {
  const results = new Array<Candidate | SkippedImage>(files.length);
  let next = 0;
  let done = 0;
  const reader = async (): Promise<void> => {
    while (next < files.length) {
      signal?.throwIfAborted();
      const at = next++;
      results[at] = await readOne(files[at]);
      onProgress?.(++done, files.length);
    }
  };
  await Promise.all(Array.from({ length: READ_AHEAD }, reader));
  const candidates: Candidate[] = [];
  const skipped: SkippedImage[] = [];
  for (const result of results) {
    if ('reason' in result) skipped.push(result);
    else candidates.push(result);
  }
  return { candidates, skipped };
}

async function readOne({ name, path, label, split }: ScannedFile): Promise<Candidate | SkippedImage> {
  try {
    const bytes = await readImage(path, name);
    await checkHeader(bytes, name);
    const hash = createHash('sha256').update(bytes).digest('hex');
    return { name, path, label, hash, ...(split !== undefined && { split }) };
  } catch (error) {
    if (error instanceof ImageError) return { path: name, reason: error.reason };
    throw error;
  }
}
