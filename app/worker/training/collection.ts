/** A project's pictures as the engine's datasets. Their names there are their ids. */
import { DataError, ImageError, createDataset, decodeBlob, preprocess, split, type Dataset, type ImageCollection, type Item } from '../../../src/index';
import type { ClassInfo, ImageInfo } from '../../shared/protocol';
import type { Pictures } from '../project/pictures';

/**
 * @param classes those that have pictures to learn from
 * @throws DataError in plain words when there is too little to learn from
 */
export function collectionOf(classes: readonly ClassInfo[], pictures: Pictures, validationFraction: number): ImageCollection {
  if (classes.length < 2) {
    throw new DataError(classes.length === 0
      ? 'There are no pictures to learn from yet. Add at least two classes, each with some pictures.'
      : `Only the class '${classes[0].name}' has pictures to learn from; there is nothing to tell apart. Add pictures to a second class.`);
  }
  const part = (wanted: ImageInfo['part']): Dataset => datasetOf(classes, pictures, (image) => image.part === wanted);
  const given = part('validation');
  const { train, validation } = given.items.length > 0 ? { train: part(undefined), validation: given } : split(part(undefined), validationFraction);
  return {
    classes: classes.map(({ name }) => name), train, validation, test: part('test'),
    report: { found: train.items.length + validation.items.length, skipped: [], duplicates: [], conflicts: [], warnings: [] },
  };
}

/** The pictures of classes, or those of them that are wanted. */
export function datasetOf(classes: readonly ClassInfo[], pictures: Pictures, wanted: (image: ImageInfo) => boolean = () => true): Dataset {
  // Ordered by what they hold: the same pictures give the same run, in whatever order they came.
  const items = classes.flatMap(({ images }, label) => images.filter(wanted).map(({ id }): Item => ({ name: id, label, hash: id })).sort((a, b) => (a.hash < b.hash ? -1 : 1)));
  return createDataset(classes.map(({ name }) => name), items, async ({ name }, preprocessing, augment) => preprocess(await decoded(pictures, name), preprocessing, augment));
}

/** How many pictures a run would learn from and hold out: `collectionOf` without its datasets. */
export function countsOf(classes: readonly ClassInfo[], validationFraction: number): { train: number; validation: number } {
  const count = (part: ImageInfo['part']): number[] => classes.map(({ images }) => images.filter((image) => image.part === part).length);
  const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);
  const [free, given] = [count(undefined), sum(count('validation'))];
  if (given > 0 || validationFraction === 0) return { train: sum(free), validation: given };
  const held = sum(free.map((n) => Math.min(Math.max(Math.round(validationFraction * n), 1), Math.max(0, n - 1))));
  return { train: sum(free) - held, validation: held };
}

async function decoded(pictures: Pictures, id: string): ReturnType<typeof decodeBlob> {
  let blob: Blob;
  try {
    blob = await pictures.blob(id);
  } catch (cause) {
    throw new ImageError(id, 'its file is no longer there', { cause });
  }
  return decodeBlob(blob, id);
}

/** What the user should know before a run: classes left out, classes without anything to be judged by. */
export function warningsOf(all: readonly ClassInfo[], classes: readonly ClassInfo[], { validation }: ImageCollection): string[] {
  const left = all.filter((one) => !classes.includes(one)).map(({ name }) => name);
  const judged = new Set(validation.items.map(({ label }) => label));
  const unjudged = validation.items.length === 0 ? [] : classes.filter((_, label) => !judged.has(label)).map(({ name }) => name);
  return [
    ...(left.length > 0 ? [`Without pictures to learn from, and so left out: ${left.join(', ')}.`] : []),
    ...(unjudged.length > 0 ? [`No picture is held out to judge ${unjudged.join(', ')} by, so accuracy says nothing about ${unjudged.length > 1 ? 'them' : 'it'}.`] : []),
  ];
}
