/** What is left of a run: how it went, in words and curves; or where it was broken off. */
import { counted, percent } from '../../../../src/report/format';
import { WarningIcon } from '../../../ui/icons';
import type { InterruptedRun, RunState } from '../../../shared/protocol';
import { Curves } from './curves';
import { RunNotes } from './notes';
import { outcomeOf } from './words';

export function EndedRun({ run }: { readonly run: Extract<RunState, { kind: 'ended' }> }) {
  const { accuracy, certainty, sentences, warned } = outcomeOf(run);
  const { result: { history, bestEpoch }, curve, notes } = run;
  return (
    <div class="train-live">
      <div class="train-outcome" role="status">
        {accuracy !== null && <p class="train-accuracy"><b class="number">{accuracy}</b> <span>accuracy</span></p>}
        <div class="train-sentences">
          {warned && <p class="train-warning"><WarningIcon size={18} />{sentences.find((sentence) => sentence.startsWith('It broke off')) ?? 'Nothing new was learned.'}</p>}
          <p>{certainty}</p>
          <p class="quiet">{sentences.join(' ')}</p>
        </div>
      </div>
      <RunNotes notes={notes} />
      <Curves curve={curve} history={history} bestEpoch={bestEpoch} />
    </div>
  );
}

export function FailedRun({ run: { message, notes } }: { readonly run: Extract<RunState, { kind: 'failed' }> }) {
  return (
    <div class="train-live">
      <p class="train-warning" role="alert"><WarningIcon size={18} />Training failed. {message}</p>
      <RunNotes notes={notes} />
    </div>
  );
}

export function InterruptedRunView({ run: { epoch, epochs, history, bestEpoch, curve, notes } }: { readonly run: InterruptedRun }) {
  const best = history.find((record) => record.epoch === bestEpoch);
  return (
    <div class="train-live">
      <p role="status">
        Training was broken off, by a reload or a closed tab. {epoch > 0 ? `${counted(epoch, 'whole epoch')} of ${epochs} ${epoch === 1 ? 'is' : 'are'} kept` : 'No whole epoch was kept'}
        {best && best.validationAccuracy !== null && `, the best with ${percent(best.validationAccuracy)} accuracy`}. Going on gives the same result as an unbroken run.
      </p>
      <RunNotes notes={notes} />
      <Curves curve={curve} history={history} bestEpoch={bestEpoch} />
    </div>
  );
}
