/** The curves of a run, and their numbers as a table. */
import { duration, percent, short } from '../../../../src/report/format';
import type { EpochRecord } from '../../../../src/transfer/types';
import type { LossPoint } from '../../../shared/protocol';
import { useMemo } from 'preact/hooks';
import { Chart } from './chart';
import { accuracyChart, epochLossChart, lossChart } from './charts';

export interface CurvesProps {
  readonly curve: readonly LossPoint[];
  readonly history: readonly EpochRecord[];
  readonly bestEpoch: number;
}

export function Curves({ curve, history, bestEpoch }: CurvesProps) {
  const steps = useMemo(() => lossChart(curve), [curve]);
  const losses = useMemo(() => epochLossChart(history, bestEpoch), [history, bestEpoch]);
  const accuracies = useMemo(() => accuracyChart(history, bestEpoch), [history, bestEpoch]);
  if (curve.length === 0 && history.length === 0) return null;
  return (
    <div class="curves">
      <div class="curves-charts">
        {curve.length > 0 && <Chart model={steps} />}
        {history.length > 0 && <Chart model={losses} />}
        {history.length > 0 && accuracies && <Chart model={accuracies} />}
      </div>
      {history.length > 0 && <EpochTable history={history} bestEpoch={bestEpoch} />}
    </div>
  );
}

function EpochTable({ history, bestEpoch }: Pick<CurvesProps, 'history' | 'bestEpoch'>) {
  return (
    <details class="fold">
      <summary>Epochs as a table</summary>
      <div class="scroll-box" tabindex={0} role="region" aria-label="Epochs">
        <table class="plain-table number">
          <thead>
            <tr><th scope="col">Epoch</th><th scope="col">Training loss</th><th scope="col">Held-out loss</th><th scope="col">Accuracy</th><th scope="col">Learning rate</th><th scope="col">Time</th></tr>
          </thead>
          <tbody>
            {history.map(({ epoch, trainLoss, validationLoss, validationAccuracy, lr, seconds }) => (
              <tr key={epoch} class={epoch === bestEpoch ? 'best' : undefined}>
                <th scope="row">{epoch}{epoch === bestEpoch && ' (best)'}</th>
                <td>{short(trainLoss)}</td>
                <td>{validationLoss === null ? '–' : short(validationLoss)}</td>
                <td>{validationAccuracy === null ? '–' : percent(validationAccuracy)}</td>
                <td>{short(lr)}</td>
                <td>{duration(seconds)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}
