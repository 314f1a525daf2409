/** What is written down of a run: while it goes on, to take it up again, and once it has ended. */
import type { ModelCard } from '../../../src/index';
import type { ClassInfo, FeatureCount, RunCourse, RunState, Settings } from '../../shared/protocol';
import type { BaseRecord, ProjectRecord } from '../project/record';
import { recipeOf } from '../project/checks';

export type EndedRun = Extract<RunState, { readonly kind: 'ended' }>;

/** What a run depends on, in parts, so that it can be said which of them is another now. */
export interface RunInputs {
  readonly settings: string;
  readonly images: string;
  readonly base: string;
}

/** The contents of `run.json`. */
export interface RunRecord extends RunCourse {
  readonly inputs: RunInputs;
  /** Classes of the outputs, by their number and by the names they had when the run began. */
  readonly classes: readonly { readonly id: number; readonly name: string }[];
  /** 0 until it is known. */
  readonly stepsPerEpoch: number;
  /** While features are computed, before the first step. */
  readonly features: FeatureCount | null;
}

/** The contents of `result.json`. */
export interface ResultRecord {
  readonly run: EndedRun;
  readonly classes: RunRecord['classes'];
}

export interface ModelFiles {
  readonly weights: Blob;
  readonly card: ModelCard;
}

export function inputsOf({ classes, settings, base }: ProjectRecord): RunInputs {
  const images = classes.map((one) => [one.id, one.images.map(({ id, part }) => (part ? `${id} ${part}` : id)).sort()] as const).filter(([, ids]) => ids.length > 0);
  return { settings: settingsText(settings), images: JSON.stringify(images), base: JSON.stringify(base) };
}

/** Names the base whose features a run of these settings would train on. */
export function featuresName(base: BaseRecord | null, { float16 }: Pick<Settings, 'float16'>): string {
  return JSON.stringify([base, float16 ? 'float16' : 'float32']);
}

function settingsText(settings: Settings): string {
  return JSON.stringify([recipeOf(settings), settings.validationFraction]);
}

/** Why a run cannot go on with what there is now; null where it can. */
export function whyAnew(before: RunInputs, now: RunInputs): string | null {
  const changed = [before.settings !== now.settings && 'the settings', before.images !== now.images && 'the images', before.base !== now.base && 'the base'].filter((what) => what !== false);
  if (changed.length === 0) return null;
  const last = changed[changed.length - 1];
  const what = changed.length === 1 ? last : `${changed.slice(0, -1).join(', ')} and ${last}`;
  return `${what[0].toUpperCase()}${what.slice(1)} ${changed.length === 1 && last === 'the base' ? 'was' : 'were'} changed since, so training would begin anew.`;
}

/** Classes with pictures to learn from, in the user's order. */
export function trainedClasses(classes: readonly ClassInfo[]): ClassInfo[] {
  return classes.filter(({ images }) => images.some(({ part }) => part === undefined));
}
