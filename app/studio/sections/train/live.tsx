/** A run while it goes on: what it does, how fast, how far, and how to pause or stop it. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { bytes, counted, duration, percent, short } from '../../../../src/report/format';
import { PauseIcon, PlayIcon, StopIcon } from '../../../ui/icons';
import { attempt } from '../../../ui/notices';
import { Progress } from '../../../ui/progress';
import type { LiveRun } from '../../../shared/protocol';
import { state, studio } from '../../session';
import { Curves } from './curves';
import { RunNotes } from './notes';
import { phaseWords } from './words';

export function LiveRunView({ run }: { readonly run: LiveRun }) {
  const lost = state.device.value.kind === 'lost';
  const stopping = useSignal(false);
  const { phase, paused, done, total, history, bestEpoch, curve, notes } = run;
  const stop = async (): Promise<void> => {
    stopping.value = true;
    await attempt(() => studio.stop());
    stopping.value = false;
  };
  return (
    <div class="train-live">
      <Progress label={phaseWords(run)} value={done} max={phase === 'features' || phase === 'training' ? total : null} />
      {lost && <p class="train-warning" role="status">The graphics device was lost. A new one is being taken, and training goes on from where it was kept last.</p>}
      <div class="row">
        {paused
          ? <button type="button" class="button primary" onClick={() => attempt(() => studio.resume())}><PlayIcon />Resume</button>
          : <button type="button" class="button" disabled={phase === 'finishing'} onClick={() => attempt(() => studio.pause())}><PauseIcon />Pause</button>}
        <button type="button" class="button" disabled={stopping.value || phase === 'finishing'} onClick={stop}><StopIcon />{stopping.value ? 'Stopping…' : 'Stop'}</button>
        <span class="quiet train-aside">{bestEpoch > 0 ? `Stopping keeps epoch ${bestEpoch}, the best so far.` : 'Stopping now keeps nothing: no epoch is finished yet.'}</span>
      </div>
      <Facts run={run} />
      <RunNotes notes={notes} />
      <Curves curve={curve} history={history} bestEpoch={bestEpoch} />
      <Announcements run={run} />
    </div>
  );
}

function Facts({ run }: { readonly run: LiveRun }) {
  const { phase, epoch, epochs, imagesPerSecond, secondsLeft, gpuBytes, history, bestEpoch } = run;
  const best = history.find((record) => record.epoch === bestEpoch);
  const facts: [string, string][] = [
    ['Epoch', phase === 'training' || epoch > 0 ? `${Math.max(1, epoch)} of ${epochs}` : '–'],
    ['Best so far', best ? (best.validationAccuracy === null ? `epoch ${best.epoch}, loss ${short(best.trainLoss)}` : `${percent(best.validationAccuracy)}, epoch ${best.epoch}`) : '–'],
    ['Speed', imagesPerSecond === null ? '–' : `${imagesPerSecond < 10 ? imagesPerSecond.toFixed(1) : Math.round(imagesPerSecond)} pictures/s`],
    ['Time left', secondsLeft === null ? '–' : `about ${duration(secondsLeft)}`],
    ['GPU memory', bytes(gpuBytes)],
  ];
  return (
    <dl class="facts">
      {facts.map(([name, value]) => <div key={name}><dt>{name}</dt><dd class="number">{value}</dd></div>)}
    </dl>
  );
}

/** Told to screen readers: phases and finished epochs, not every step. */
function Announcements({ run: { phase, paused, history, epochs, bestEpoch } }: { readonly run: LiveRun }) {
  const said = useSignal('');
  useEffect(() => {
    said.value = paused ? 'Training is paused.' : { preparing: 'Preparing.', features: 'Computing features.', training: 'Training.', finishing: 'Finishing.' }[phase];
  }, [phase, paused]);
  useEffect(() => {
    const last = history.at(-1);
    if (last) said.value = `${counted(last.epoch, 'epoch')} of ${epochs} done${last.validationAccuracy === null ? '' : `, accuracy ${percent(last.validationAccuracy)}`}${last.epoch === bestEpoch ? ', the best so far' : ''}.`;
  }, [history.length]);
  return <p class="hidden-text" role="status">{said.value}</p>;
}
