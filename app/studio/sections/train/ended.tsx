/** What is left of a run: how it went, in words and curves; or where it was broken off. */
import { counted, percent } from '../../../../src/report/format';
import { WarningIcon } from '../../../ui/icons';
import type { InterruptedRun, RunState } from '../../../shared/protocol';
import { Facts } from './facts';
import { RunNotes } from './notes';
import { outcomeOf } from './words';

export function EndedRun({ run }: { readonly run: Extract<RunState, { kind: 'ended' }> }) {
  const { accuracy, certainty, sentences, warning, facts } = outcomeOf(run);
  return (
    <div class="train-live">
      <div class="train-outcome">
        {accuracy !== null && <p class="train-accuracy"><b class="number">{accuracy}</b> <span>accuracy</span></p>}
        <div class="train-sentences">
          {warning !== null && <p class="train-warning"><WarningIcon size={18} />{warning}</p>}
          <p>{certainty}</p>
          <p class="quiet">{sentences.join(' ')}</p>
        </div>
      </div>
      <Facts facts={facts} />
      <RunNotes notes={run.notes} />
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

export function InterruptedRunView({ run: { epoch, epochs, features, history, bestEpoch, notes, anew } }: { readonly run: InterruptedRun }) {
  const best = history.find((record) => record.epoch === bestEpoch);
  return (
    <div class="train-live">
      <p>
        Training was broken off, by a reload or a closed tab. {epoch > 0 ? `${epoch} of ${counted(epochs, 'epoch')} ${epoch === 1 ? 'is' : 'are'} kept` : features ? `The features of ${features.done} of ${counted(features.total, 'picture')} are kept` : 'No whole epoch was kept'}
        {best && best.validationAccuracy !== null && `, the best with ${percent(best.validationAccuracy)} accuracy`}. {anew ?? 'Going on gives the same result as an unbroken run; with other settings, pictures or another plan it begins anew.'}
      </p>
      <RunNotes notes={notes} />
    </div>
  );
}
