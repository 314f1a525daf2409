/** What a run's evaluation says about single pictures, and where those pictures are now. */
import type { Prediction } from '../../../../src/transfer/types';
import type { ClassInfo, ImageId, ImageInfo, RunState } from '../../../shared/protocol';

export type EndedRun = Extract<RunState, { kind: 'ended' }>;

/** A judged picture that is still in the project. */
export interface JudgedPicture {
  readonly id: ImageId;
  readonly name: string;
  /** Class it counted as in the run, and what it was taken for. */
  readonly label: string;
  readonly predicted: string;
  readonly confidence: number;
  readonly labelProbability: number;
  readonly wrong: boolean;
  /** Cross entropy: how much it cost. */
  readonly loss: number;
  /** Where it is now. */
  readonly classId: number;
  readonly className: string;
}

export interface Place {
  readonly image: ImageInfo;
  readonly classId: number;
  readonly className: string;
}

export function placesOf(classes: readonly ClassInfo[]): Map<ImageId, Place> {
  return new Map(classes.flatMap(({ id, name, images }) => images.map((image) => [image.id, { image, classId: id, className: name }] as const)));
}

/** The run's judged pictures, without those that were removed since. */
export function judgedPictures({ validation, classes }: Pick<EndedRun, 'validation' | 'classes'>, places: ReadonlyMap<ImageId, Place>): JudgedPicture[] {
  return (validation?.predictions ?? []).flatMap((prediction: Prediction) => {
    const place = places.get(prediction.name);
    if (!place) return [];
    const { label, predicted, confidence, labelProbability } = prediction;
    return [{
      id: prediction.name, name: place.image.name, label: classes[label], predicted: classes[predicted], confidence, labelProbability,
      wrong: label !== predicted, loss: -Math.log(Math.max(labelProbability, 1e-12)), classId: place.classId, className: place.className,
    }];
  });
}

/** Wrong ones, the costliest first. */
export function worstMistakes(pictures: readonly JudgedPicture[]): JudgedPicture[] {
  return pictures.filter(({ wrong }) => wrong).sort((a, b) => b.loss - a.loss);
}

/** A confusion matrix of at most `most` classes: those with the most mistakes, in their order. */
export function shownClasses(confusion: readonly (readonly number[])[], most: number): number[] {
  const all = confusion.map((_, k) => k);
  if (all.length <= most) return all;
  const mistakes = all.map((k) => confusion[k].reduce((sum, n, j) => sum + (j === k ? 0 : n), 0) + confusion.reduce((sum, row, i) => sum + (i === k ? 0 : row[k]), 0));
  return all.sort((a, b) => mistakes[b] - mistakes[a] || a - b).slice(0, most).sort((a, b) => a - b);
}
