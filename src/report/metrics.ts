/**
 * `metrics.json`: a run as plain JSON, for scripts. Keys are only ever added within one format number; docs/output.md
 * lists them.
 */
import type { Evaluation, FineTuneResult } from '../transfer/types';
import type { RunRecord } from './runRecord';
import { classScores, wilsonInterval } from './statistics';

export interface EvaluationMetrics {
  readonly images: number;
  readonly accuracy: number;
  /** 95 %, by Wilson's formula. */
  readonly accuracyInterval: readonly [number, number];
  /** Mean cross entropy. */
  readonly loss: number;
  readonly classes: readonly { readonly name: string; readonly images: number; readonly recall: number | null; readonly precision: number | null }[];
  /** Rows: true class; columns: predicted class. */
  readonly confusion: readonly (readonly number[])[];
  /** Each image, by its name relative to the folder. */
  readonly predictions: readonly { readonly image: string; readonly label: string; readonly predicted: string; readonly confidence: number; readonly labelProbability: number }[];
}

export interface Metrics {
  readonly format: 'graft-metrics-1';
  readonly graft: string;
  readonly created: string;
  readonly data: {
    readonly name: string;
    readonly classes: readonly string[];
    readonly train: number;
    readonly validation: number;
    readonly test: number;
    readonly found: number;
    readonly duplicates: number;
    readonly skipped: readonly { readonly path: string; readonly reason: string }[];
    readonly warnings: readonly string[];
  };
  readonly model: {
    readonly architecture: string;
    readonly width: number;
    readonly base: string | null;
    readonly parameters: { readonly trained: number; readonly frozen: number };
    readonly batchNorm: FineTuneResult['batchNorm'];
  };
  readonly recipe: FineTuneResult['recipe'];
  readonly history: FineTuneResult['history'];
  readonly bestEpoch: number;
  readonly ended: FineTuneResult['ended'];
  readonly reason: string | null;
  readonly validation: EvaluationMetrics | null;
  readonly test: EvaluationMetrics | null;
  readonly features: FineTuneResult['features'];
  readonly seconds: number;
  readonly peakBytes: number;
  readonly memory: FineTuneResult['memory'];
  readonly adapter: string;
  readonly choices: FineTuneResult['choices'];
  /** The same images under another plan, where that was asked for. */
  readonly comparison?: Pick<Metrics, 'recipe' | 'history' | 'bestEpoch' | 'validation' | 'test' | 'seconds'> & { readonly name: string };
}

export function metricsOf(run: RunRecord): Metrics {
  const { result, data, model, test, comparison } = run;
  const { classes } = model;
  const of = (evaluation: Evaluation | null): EvaluationMetrics | null => evaluation && evaluationMetrics(evaluation, classes);
  const { recipe, history, bestEpoch, ended, reason, batchNorm, features, seconds, peakBytes, memory, adapter, choices, parameters, images } = result;
  return {
    format: 'graft-metrics-1',
    graft: run.version,
    created: run.created,
    data: {
      name: data.name, classes, train: images.train, validation: images.validation, test: test?.count ?? 0,
      found: data.report.found, duplicates: data.report.duplicates.length,
      skipped: [...data.report.skipped, ...data.skipped], warnings: data.report.warnings,
    },
    model: {
      architecture: model.architecture, width: model.width, base: model.base,
      parameters: { trained: parameters.trainable.elements, frozen: parameters.frozen.elements }, batchNorm,
    },
    recipe, history, bestEpoch, ended, reason,
    validation: of(result.validation), test: of(test),
    features, seconds, peakBytes, memory, adapter, choices,
    ...(comparison && {
      comparison: {
        name: comparison.name, recipe: comparison.result.recipe, history: comparison.result.history,
        bestEpoch: comparison.result.bestEpoch, validation: of(comparison.result.validation), test: of(comparison.test),
        seconds: comparison.result.seconds,
      },
    }),
  };
}

function evaluationMetrics(evaluation: Evaluation, classes: readonly string[]): EvaluationMetrics {
  const { count, accuracy, loss, confusion, predictions } = evaluation;
  return {
    images: count, accuracy, accuracyInterval: wilsonInterval(accuracy, count), loss,
    classes: classScores(evaluation, classes).map(({ name, images, recall, precision }) => ({ name, images, recall, precision })),
    confusion,
    predictions: predictions.map(({ name, label, predicted, confidence, labelProbability }) => ({
      image: name, label: classes[label], predicted: classes[predicted], confidence, labelProbability,
    })),
  };
}
