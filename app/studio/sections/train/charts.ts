/** What the charts of a run show: the numbers as columns, and the same in words. */
import { percent, short } from '../../../../src/report/format';
import type { EpochRecord } from '../../../../src/transfer/types';
import type { LossPoint } from '../../../shared/protocol';

export interface ChartSeries {
  readonly label: string;
  /** A colour token: `--series-1`. */
  readonly colour: string;
  /** Told apart without colour, too. */
  readonly dashed?: boolean;
}

export interface ChartModel {
  readonly title: string;
  readonly xLabel: string;
  readonly series: readonly ChartSeries[];
  /** The first column is x. */
  readonly columns: readonly (readonly (number | null)[])[];
  readonly format: (value: number) => string;
  /** Bounds of the vertical axis. */
  readonly range?: readonly [number, number];
  /** An x to mark, and its words. */
  readonly marked?: { readonly x: number; readonly label: string };
  /** For those who do not see it. */
  readonly summary: string;
}

/** Loss by step. */
export function lossChart(curve: readonly LossPoint[]): ChartModel {
  const last = curve.at(-1);
  return {
    title: 'Loss by step', xLabel: 'step', format: short,
    series: [{ label: 'training', colour: '--series-1' }],
    columns: [curve.map(({ step }) => step), curve.map(({ loss }) => loss)],
    summary: last ? `From ${short(curve[0].loss)} at step ${curve[0].step} to ${short(last.loss)} at step ${last.step}; lowest ${short(curve.reduce((low, { loss }) => Math.min(low, loss), Infinity))}.` : 'No step yet.',
  };
}

/** Training and validation loss by epoch. */
export function epochLossChart(history: readonly EpochRecord[], bestEpoch: number): ChartModel {
  const validated = history.some(({ validationLoss }) => validationLoss !== null);
  return {
    title: 'Loss by epoch', xLabel: 'epoch', format: short,
    series: [{ label: 'training', colour: '--series-1' }, ...(validated ? [{ label: 'held out', colour: '--series-2', dashed: true }] : [])],
    columns: [history.map(({ epoch }) => epoch), history.map(({ trainLoss }) => trainLoss), ...(validated ? [history.map(({ validationLoss }) => validationLoss)] : [])],
    ...marked(bestEpoch),
    summary: 'The table of epochs has its numbers.',
  };
}

/** Accuracy on held-out pictures by epoch; null where none are held out. */
export function accuracyChart(history: readonly EpochRecord[], bestEpoch: number): ChartModel | null {
  if (!history.some(({ validationAccuracy }) => validationAccuracy !== null)) return null;
  return {
    title: 'Accuracy by epoch', xLabel: 'epoch', format: percent, range: [0, 1],
    series: [{ label: 'held out', colour: '--series-3' }],
    columns: [history.map(({ epoch }) => epoch), history.map(({ validationAccuracy }) => validationAccuracy)],
    ...marked(bestEpoch),
    summary: 'The table of epochs has its numbers.',
  };
}

function marked(bestEpoch: number): Pick<ChartModel, 'marked'> {
  return bestEpoch > 0 ? { marked: { x: bestEpoch, label: `best: ${bestEpoch}` } } : {};
}
