/** A run as screen readers hear it: phases, finished epochs and the end; not every step. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { percent } from '../../../../src/report/format';
import { state } from '../../session';
import { outcomeOf } from './words';

export function Announcements() {
  const run = state.run.value;
  const said = useSignal('');
  const before = useSignal(run.kind);
  const live = run.kind === 'running' ? run : null;
  const epochs = live?.history.length ?? 0;
  useEffect(() => {
    if (live) said.value = live.paused ? 'Training is paused.' : { preparing: 'Preparing.', features: 'Computing features.', training: 'Training.', finishing: 'Finishing.' }[live.phase];
  }, [live?.phase, live?.paused]);
  useEffect(() => {
    const last = live?.history.at(-1);
    if (live && last) said.value = `Epoch ${last.epoch} of ${live.epochs} done${last.validationAccuracy === null ? '' : `, accuracy ${percent(last.validationAccuracy)}`}${last.epoch === live.bestEpoch ? ', the best so far' : ''}.`;
  }, [epochs]);
  useEffect(() => {
    if (before.value === 'running' && run.kind === 'ended') {
      const { accuracy, certainty, warning } = outcomeOf(run);
      said.value = `Training has ended. ${warning ?? ''} ${accuracy === null ? '' : `${accuracy} accuracy.`} ${certainty}`;
    }
    before.value = run.kind;
  }, [run.kind]);
  return <p class="hidden-text" role="status">{said.value}</p>;
}
