/**
 * From labelled images to datasets for training, validation and test: copies removed, contradictions reported,
 * classes without images dropped, what cannot be trained on refused. Folders and browser files share it.
 */
import { DataError } from '../errors';
import { compareCodePoints, createDataset, split } from './dataset';
import type { Dataset, Item, LoadItem } from './dataset';

export type SplitName = 'train' | 'validation' | 'test';

/** An image whose header was read and whose bytes were hashed. */
export interface Candidate {
  readonly name: string;
  readonly label: string;
  readonly hash: string;
  readonly path?: string;
  /** Where its owner put it; absent when images are to be split by content. */
  readonly split?: SplitName;
}

export interface SkippedImage {
  readonly path: string;
  readonly reason: string;
}

/** What was found and what was left out, paths relative to the folder. */
export interface DataReport {
  /** Image files found, before anything was left out. */
  readonly found: number;
  /** Files that cannot be read or decoded. */
  readonly skipped: readonly SkippedImage[];
  /** Files left out because `of` holds the same bytes. */
  readonly duplicates: readonly { readonly path: string; readonly of: string }[];
  /** The same bytes under several labels: nobody can tell which is right, so all copies are left out. */
  readonly conflicts: readonly { readonly labels: readonly string[]; readonly paths: readonly string[] }[];
  /** One sentence each, for people. */
  readonly warnings: readonly string[];
}

export interface ImageCollection {
  /** In the order of Unicode code points, as torchvision's `ImageFolder` sorts them. */
  readonly classes: readonly string[];
  readonly train: Dataset;
  readonly validation: Dataset;
  /** Where the images came with a test part of their own. */
  readonly test?: Dataset;
  readonly report: DataReport;
}

export interface CollectInput {
  /** What messages call it, for instance `image folder 'photos'`. */
  readonly what: string;
  readonly candidates: readonly Candidate[];
  /** Every label there is, also those without images. */
  readonly labels: readonly string[];
  readonly found: number;
  readonly skipped: readonly SkippedImage[];
  readonly warnings: readonly string[];
  readonly validationFraction: number;
  readonly splitSeed?: number;
  readonly load: LoadItem;
}

/**
 * @throws DataError when there are no images, fewer than two classes with images, or fewer images than classes
 */
export function collect(input: CollectInput): ImageCollection {
  const { what, found, skipped, validationFraction, splitSeed, load } = input;
  const { kept, duplicates, conflicts } = withoutCopies(input.candidates);
  const training = kept.filter((candidate) => inTraining(candidate));
  const labels = [...new Set(input.labels)].sort(compareCodePoints);
  const trained = new Set(training.map(({ label }) => label));
  const classes = labels.filter((label) => trained.has(label));
  refuseWhatCannotTrain(input, training.length, labels, classes);

  const warnings = [...input.warnings];
  for (const label of labels) {
    if (!trained.has(label)) warnings.push(`label '${label}' has no usable training image and was left out`);
  }
  for (const { labels: several, paths } of conflicts) {
    warnings.push(`the same image is under the labels ${quoted(several)} and was left out: ${paths.join(', ')}`);
  }

  const numbers = new Map(classes.map((label, index) => [label, index]));
  const datasetOf = (candidates: readonly Candidate[]): Dataset => {
    const items: Item[] = [];
    for (const { name, label, hash, path } of candidates) {
      const number = numbers.get(label);
      if (number !== undefined) items.push({ name, label: number, hash, ...(path !== undefined && { path }) });
    }
    items.sort((a, b) => a.label - b.label || compareCodePoints(a.name, b.name));
    return createDataset(classes, items, load);
  };

  const givenValidation = kept.filter((candidate) => candidate.split === 'validation');
  const { train, validation } = givenValidation.length > 0
    ? { train: datasetOf(training), validation: datasetOf(givenValidation) }
    : split(datasetOf(training), validationFraction, splitSeed);
  const givenTest = kept.filter((candidate) => candidate.split === 'test');
  if (validationFraction > 0 || givenValidation.length > 0) warnings.push(...unvalidated(classes, validation));
  return {
    classes,
    train,
    validation,
    ...(givenTest.length > 0 && { test: datasetOf(givenTest) }),
    report: { found, skipped, duplicates, conflicts, warnings: warnings.map((text) => `${what}: ${text}`) },
  };
}

function inTraining(candidate: Candidate): boolean {
  return candidate.split === undefined || candidate.split === 'train';
}

/**
 * Each content once. Of copies, the one held out for test or validation stays, so that no image is both learnt from
 * and judged by; then the first by name.
 */
function withoutCopies(candidates: readonly Candidate[]): {
  kept: Candidate[];
  duplicates: { path: string; of: string }[];
  conflicts: { labels: string[]; paths: string[] }[];
} {
  const rank = (candidate: Candidate): number =>
    candidate.split === 'test' ? 0 : candidate.split === 'validation' ? 1 : 2;
  const ordered = [...candidates].sort((a, b) => rank(a) - rank(b) || compareCodePoints(a.name, b.name));
  const byHash = new Map<string, Candidate[]>();
  for (const candidate of ordered) {
    const same = byHash.get(candidate.hash);
    if (same === undefined) byHash.set(candidate.hash, [candidate]);
    else same.push(candidate);
  }
  const kept: Candidate[] = [];
  const duplicates: { path: string; of: string }[] = [];
  const conflicts: { labels: string[]; paths: string[] }[] = [];
  for (const [first, ...copies] of byHash.values()) {
    const labels = [...new Set([first, ...copies].map(({ label }) => label))].sort(compareCodePoints);
    if (labels.length > 1) {
      conflicts.push({ labels, paths: [first, ...copies].map(({ name }) => name) });
      continue;
    }
    kept.push(first);
    for (const copy of copies) duplicates.push({ path: copy.name, of: first.name });
  }
  return { kept, duplicates, conflicts };
}

function refuseWhatCannotTrain(
  { what, found, skipped }: CollectInput, images: number, labels: readonly string[], classes: readonly string[],
): void {
  const layout = 'Put at least two folders in it, one a label, each with images of that label';
  if (images === 0) {
    if (found === 0) throw new DataError(`${what}: holds no images. ${layout}`);
    const broken = skipped.length > 0
      ? ` (${skipped.length} cannot be read, the first: ${skipped[0].path}: ${skipped[0].reason})`
      : '';
    throw new DataError(`${what}: none of its ${found} images can be used${broken}`);
  }
  if (labels.length < 2) {
    throw new DataError(`${what}: has only one label, ${quoted(labels)}; there is nothing to tell apart. ${layout}`);
  }
  if (images < labels.length) {
    throw new DataError(
      `${what}: has fewer usable images (${images}) than labels (${labels.length}); add images, or remove labels`,
    );
  }
  if (classes.length < 2) {
    throw new DataError(
      `${what}: only the label ${quoted(classes)} of ${quoted(labels)} has usable training images; at least two labels need some`,
    );
  }
}

function unvalidated(classes: readonly string[], validation: Dataset): string[] {
  const seen = new Set(validation.items.map(({ label }) => label));
  const missing = classes.filter((_, label) => !seen.has(label));
  if (missing.length === 0) return [];
  const [has, it] = missing.length > 1 ? ['labels have', 'them'] : ['label has', 'it'];
  return [`${missing.length} ${has} no image to validate on, so accuracy says nothing about ${it}: ${quoted(missing)}`];
}

/** `'a', 'b'`, cut after eight. */
function quoted(labels: readonly string[]): string {
  const shown = labels.slice(0, 8).map((label) => `'${label}'`).join(', ');
  return labels.length > 8 ? `${shown} and ${labels.length - 8} more` : shown;
}
