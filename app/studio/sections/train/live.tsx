/** A run while it goes on: what it does, how fast, how far, and how to pause or stop it. */
import { useSignal } from '@preact/signals';
import { bytes, duration, percent, short } from '../../../../src/report/format';
import { PauseIcon, PlayIcon, StopIcon } from '../../../ui/icons';
import { attempt } from '../../../ui/notices';
import { Progress } from '../../../ui/progress';
import type { LiveRun } from '../../../shared/protocol';
import { state, studio } from '../../session';
import { Facts } from './facts';
import { RunNotes } from './notes';
import { phaseWords } from './words';

export function LiveRunView({ run }: { readonly run: LiveRun }) {
  const lost = state.device.value.kind === 'lost';
  const stopping = useSignal(false);
  const { phase, paused, done, total, bestEpoch, notes } = run;
  const finishing = phase === 'finishing';
  const stop = async (): Promise<void> => {
    if (stopping.value || finishing) return;
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
          ? <button type="button" data-heir class="button primary" onClick={() => attempt(() => studio.resume())}><PlayIcon />Resume</button>
          : <button type="button" data-heir class="button" aria-disabled={finishing} onClick={() => { if (!finishing) void attempt(() => studio.pause()); }}><PauseIcon />Pause</button>}
        <button type="button" class="button" aria-disabled={stopping.value || finishing} onClick={stop}><StopIcon />{stopping.value ? 'Stopping…' : 'Stop'}</button>
        <span class="quiet train-aside">{bestEpoch > 0 ? `Stopping keeps epoch ${bestEpoch}, the best so far.` : 'Stopping now keeps nothing: no epoch is finished yet.'}</span>
      </div>
      <Facts facts={factsOf(run)} />
      <RunNotes notes={notes} />
    </div>
  );
}

function factsOf({ phase, epoch, epochs, imagesPerSecond, secondsLeft, gpuBytes, history, bestEpoch }: LiveRun): [string, string][] {
  const best = history.find((record) => record.epoch === bestEpoch);
  return [
    ['Epoch', phase === 'training' || epoch > 0 ? `${Math.max(1, epoch)} of ${epochs}` : '–'],
    ['Best so far', best ? (best.validationAccuracy === null ? `epoch ${best.epoch}, loss ${short(best.trainLoss)}` : `${percent(best.validationAccuracy)}, epoch ${best.epoch}`) : '–'],
    ['Speed', imagesPerSecond === null ? '–' : `${imagesPerSecond < 10 ? imagesPerSecond.toFixed(1) : Math.round(imagesPerSecond)} pictures/s`],
    ['Time left', secondsLeft === null ? '–' : `about ${duration(secondsLeft)}`],
    ['GPU memory', bytes(gpuBytes)],
  ];
}
