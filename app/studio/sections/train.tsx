/** Training: what will be trained and how, the button, the run, and how it went. */
import { useSignal } from '@preact/signals';
import { Section } from '../../ui/section';
import { confirmed } from '../../ui/dialog';
import { InfoIcon, PlayIcon } from '../../ui/icons';
import { attempt, notify } from '../../ui/notices';
import { state, studio } from '../session';
import { Announcements } from './train/announcements';
import { Curves, type CurvesProps } from './train/curves';
import { EndedRun, FailedRun, InterruptedRunView } from './train/ended';
import { LiveRunView } from './train/live';
import { readiness } from './train/readiness';
import { TrainSettings, unreadable } from './train/settings';
import { planWords } from './train/words';
import './train.css';

export function TrainSection() {
  const run = state.run.value;
  const running = run.kind === 'running';
  const curves = curvesOf(run);
  return (
    <Section id="train" title="Train" lead={planWords(state.settings.value.plan)}>
      <Announcements />
      {run.kind === 'running' && <LiveRunView run={run} />}
      {run.kind === 'ended' && <EndedRun run={run} />}
      {run.kind === 'failed' && <FailedRun run={run} />}
      {run.kind === 'interrupted' && <InterruptedRunView run={run} />}
      {run.kind === 'interrupted' && <Start />}
      {curves && <Curves {...curves} />}
      {!running && run.kind !== 'interrupted' && <Start />}
      {running
        ? <p class="quiet train-aside">Settings can be changed again when the run has ended.</p>
        : <TrainSettings />}
    </Section>
  );
}

/** The same charts through all of a run and after it: they are not made anew when it ends. */
function curvesOf(run: typeof state.run.value): CurvesProps | null {
  if (run.kind === 'idle' || run.kind === 'failed') return null;
  const { history, bestEpoch } = run.kind === 'ended' ? run.result : run;
  return { curve: run.curve, history, bestEpoch };
}

/** The button, and what has to be done before it can be pressed. */
function Start() {
  const run = state.run.value;
  const { blockers, hints } = readiness(state);
  const all = unreadable.value.size === 0 ? blockers : [...blockers, 'Mend the settings that are marked below.'];
  const pressed = useSignal(false);
  const blocked = all.length > 0;
  const start = async (): Promise<void> => {
    if (pressed.value) return;
    if (blocked) {
      notify({ kind: 'info', text: all[0] });
      return;
    }
    pressed.value = true;
    await attempt(() => studio.train());
    pressed.value = false;
  };
  const discard = async (): Promise<void> => {
    if (await confirmed({ title: 'Begin anew?', text: 'The epochs that were kept are thrown away.', action: 'Throw away', danger: true })) await attempt(() => studio.discardRun());
  };
  return (
    <div class="train-start">
      <div class="row">
        <button type="button" data-heir class="button primary train-button" aria-disabled={blocked || pressed.value} aria-describedby="train-why" onClick={start}>
          <PlayIcon />{startLabel(run)}
        </button>
        {run.kind === 'interrupted' && run.anew === null && <button type="button" class="button" onClick={discard}>Begin anew</button>}
      </div>
      <ul class="train-why" id="train-why" role="list">
        {all.map((text) => <li key={text}><InfoIcon size={16} /><span>{text}</span></li>)}
        {!blocked && hints.map((text) => <li key={text} class="quiet"><InfoIcon size={16} /><span>{text}</span></li>)}
      </ul>
    </div>
  );
}

function startLabel(run: typeof state.run.value): string {
  if (run.kind === 'interrupted' && run.anew === null) return run.epoch > 0 ? `Continue from epoch ${run.epoch + 1} of ${run.epochs}` : 'Continue';
  return run.kind === 'idle' ? 'Train' : 'Train again';
}
