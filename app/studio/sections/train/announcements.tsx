/** A run as screen readers hear it: phases, finished epochs and the end; not every step, and not more than can be listened to. */
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { percent } from '../../../../src/report/format';
import type { LiveRun } from '../../../shared/protocol';
import { state } from '../../session';
import { outcomeOf } from './words';

/** Milliseconds between two sentences about epochs, which may last a tenth of a second each. */
const PAUSE = 6000;

export function Announcements() {
  const run = state.run.value;
  const said = useSignal('');
  const before = useRef(run.kind);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const last = useRef(-Infinity);
  const live = run.kind === 'running' ? run : null;
  const newest = useRef(live);
  newest.current = live;
  const say = (words: string): void => {
    clearTimeout(timer.current);
    timer.current = undefined;
    last.current = performance.now();
    said.value = words;
  };
  const tellEpoch = (): void => {
    const words = newest.current && epochWords(newest.current);
    if (words) say(words);
  };
  const epochs = live?.history.length ?? 0;
  useEffect(() => {
    if (live) say(live.paused ? 'Training is paused.' : { preparing: 'Preparing.', features: 'Computing features.', training: 'Training.', finishing: 'Finishing.' }[live.phase]);
  }, [live?.phase, live?.paused]);
  useEffect(() => {
    if (live && epochs > 0) timer.current ??= setTimeout(tellEpoch, Math.max(0, last.current + PAUSE - performance.now())); // the newest then
  }, [epochs]);
  useEffect(() => {
    if (before.current === 'running' && run.kind === 'ended') {
      const { accuracy, certainty, warning } = outcomeOf(run);
      say(`Training has ended. ${warning ?? ''} ${accuracy === null ? '' : `${accuracy} accuracy.`} ${certainty}`);
    } else if (run.kind !== 'running') clearTimeout(timer.current);
    before.current = run.kind;
  }, [run.kind]);
  useEffect(() => () => clearTimeout(timer.current), []);
  return <p class="hidden-text" role="status">{said.value}</p>;
}

function epochWords({ history, epochs, bestEpoch }: LiveRun): string | null {
  const newest = history.at(-1);
  return newest ? `Epoch ${newest.epoch} of ${epochs} done${newest.validationAccuracy === null ? '' : `, accuracy ${percent(newest.validationAccuracy)}`}${newest.epoch === bestEpoch ? ', the best so far' : ''}.` : null;
}
