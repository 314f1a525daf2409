/** A labelled set of images that the training loop reads by index, wherever the images come from. */
import { DataError, UsageError } from '../errors';
import type { AugmentDraw } from './augment';
import type { Preprocessing } from './preprocess';
import { Random } from '../random';

/** One image of a dataset. */
export interface Item {
  /** Path relative to the folder, `/` between its parts, or the file's name: what reports and messages call it. */
  readonly name: string;
  /** Index into `classes`. */
  readonly label: number;
  /** SHA-256 of the file's bytes, in hex. */
  readonly hash: string;
  /** Where the file is, for datasets on disk. */
  readonly path?: string;
}

/** A random view's settings; which image it is of, the dataset adds. */
export type AugmentOptions = Omit<AugmentDraw, 'image'>;

export interface Dataset {
  readonly classes: readonly string[];
  readonly items: readonly Item[];
  /**
   * Image `index` as network input, float32 of shape [cropSize, cropSize, 3]; with `augment`, a random view of it.
   * @throws ImageError when the image cannot be read or decoded
   */
  load(index: number, preprocessing: Preprocessing, augment?: AugmentOptions): Promise<Float32Array>;
  /** The dataset of these items, in this order; classes stay the same. */
  subset(indices: Iterable<number>): Dataset;
}

/** An image that cannot be read or decoded. `reason` is the message without the image's name. */
export class ImageError extends DataError {
  readonly image: string;
  readonly reason: string;

  constructor(image: string, reason: string, options?: ErrorOptions) {
    super(`image '${image}': ${reason}`, options);
    this.image = image;
    this.reason = reason;
  }
}

export type LoadItem = (item: Item, preprocessing: Preprocessing, augment?: AugmentDraw) => Promise<Float32Array>;

/** A dataset of `items`, read by `loadItem`. */
export function createDataset(classes: readonly string[], items: readonly Item[], loadItem: LoadItem): Dataset {
  return {
    classes,
    items,
    async load(index, preprocessing, augment) {
      const item = at(items, index);
      const draw = augment === undefined ? undefined : { ...augment, image: hashWords(item.hash) };
      return loadItem(item, preprocessing, draw);
    },
    subset(indices) {
      return createDataset(classes, Array.from(indices, (index) => at(items, index)), loadItem);
    },
  };
}

function at(items: readonly Item[], index: number): Item {
  const item = items[index];
  if (item === undefined) throw new UsageError(`dataset: index ${index} is outside 0 to ${items.length - 1}`);
  return item;
}

/** The first 64 bits of a content hash, as seeds. */
function hashWords(hash: string): [number, number] {
  return [Number.parseInt(hash.slice(0, 8), 16), Number.parseInt(hash.slice(8, 16), 16)];
}

/**
 * Training and validation parts, class by class. Which image goes where depends on the images' content alone: not on
 * names, order or place, and copies of one image always land on the same side.
 *
 * Of a class with n different images, round(fraction * n) are validated on, but at least 1 and at most n - 1; a class
 * of one image is only trained on.
 *
 * @param fraction share to validate on, from 0 (none) to below 1
 * @param seed another number gives another split
 */
export function split(dataset: Dataset, fraction = 0.2, seed?: number): { train: Dataset; validation: Dataset } {
  if (!(fraction >= 0 && fraction < 1)) {
    throw new UsageError(`split: the validation fraction must be at least 0 and below 1, got ${fraction}`);
  }
  const held = new Set<string>();
  if (fraction > 0) {
    for (const hashes of hashesByClass(dataset)) {
      const ordered = seed === undefined ? hashes.sort() : orderBySeed(hashes, seed);
      const count = Math.min(Math.max(Math.round(fraction * hashes.length), 1), hashes.length - 1);
      for (const hash of ordered.slice(0, count)) held.add(hash);
    }
  }
  const indices = dataset.items.map((_, index) => index);
  return {
    train: dataset.subset(indices.filter((index) => !held.has(dataset.items[index].hash))),
    validation: dataset.subset(indices.filter((index) => held.has(dataset.items[index].hash))),
  };
}

function hashesByClass(dataset: Dataset): string[][] {
  const sets = dataset.classes.map(() => new Set<string>());
  for (const { label, hash } of dataset.items) sets[label].add(hash);
  return sets.map((set) => [...set]);
}

function orderBySeed(hashes: string[], seed: number): string[] {
  return hashes
    .map((hash) => ({ hash, key: new Random(seed, ...hashWords(hash)).next() }))
    .sort((a, b) => a.key - b.key || compareCodePoints(a.hash, b.hash))
    .map(({ hash }) => hash);
}

/** Order of Unicode code points: Python's order of strings, hence torchvision's order of classes. */
export function compareCodePoints(a: string, b: string): number {
  const left = Array.from(a, (character) => character.codePointAt(0) ?? 0);
  const right = Array.from(b, (character) => character.codePointAt(0) ?? 0);
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    if (left[i] !== right[i]) return left[i] - right[i];
  }
  return left.length - right.length;
}
