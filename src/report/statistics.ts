/** What an evaluation says about classes and about its own certainty. */
import type { Evaluation, Prediction } from '../transfer/types';

export interface ClassScore {
  readonly name: string;
  /** Images of this class, images given this class, and those of both. */
  readonly images: number;
  readonly predicted: number;
  readonly correct: number;
  /** Share of its images that were found, null without images; share of what was called so that is, null without any. */
  readonly recall: number | null;
  readonly precision: number | null;
}

export function classScores({ confusion }: Pick<Evaluation, 'confusion'>, classes: readonly string[]): ClassScore[] {
  return classes.map((name, k) => {
    const images = confusion[k].reduce((sum, n) => sum + n, 0);
    const predicted = confusion.reduce((sum, row) => sum + row[k], 0);
    const correct = confusion[k][k];
    return {
      name, images, predicted, correct,
      recall: images > 0 ? correct / images : null,
      precision: predicted > 0 ? correct / predicted : null,
    };
  });
}

/** Pairs of classes by how often the first was taken for the second, most often first. */
export function confusedPairs({ confusion }: Pick<Evaluation, 'confusion'>): { label: number; predicted: number; images: number }[] {
  return confusion
    .flatMap((row, label) => row.map((images, predicted) => ({ label, predicted, images })))
    .filter(({ label, predicted, images }) => label !== predicted && images > 0)
    .sort((a, b) => b.images - a.images || a.label - b.label || a.predicted - b.predicted);
}

/** Wrong predictions, the most confident first. */
export function mistakes({ predictions }: Pick<Evaluation, 'predictions'>): Prediction[] {
  return predictions.filter(({ label, predicted }) => label !== predicted).sort((a, b) => b.confidence - a.confidence);
}

/** The 95 % interval of a share that was counted (E. B. Wilson, 1927). */
export function wilsonInterval(share: number, count: number): [number, number] {
  if (count === 0) return [0, 1];
  const z = 1.959964;
  const centre = (share + z ** 2 / (2 * count)) / (1 + z ** 2 / count);
  const half = (z / (1 + z ** 2 / count)) * Math.sqrt((share * (1 - share)) / count + z ** 2 / (4 * count ** 2));
  return [Math.max(0, centre - half), Math.min(1, centre + half)];
}

/** What always naming the commonest class would get right. */
export function commonestShare({ confusion }: Pick<Evaluation, 'confusion'>): number {
  const totals = confusion.map((row) => row.reduce((sum, n) => sum + n, 0));
  const all = totals.reduce((sum, n) => sum + n, 0);
  return all === 0 ? 0 : Math.max(...totals) / all;
}
