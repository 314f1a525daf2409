/** What to run: suites, engines, size; how long it will take; Run and Stop; and how far it is. */
import { SIZES, SUITES, type Size } from '../../bench/browser/plans.mjs';
import { ENGINES, lacking, versionOf } from '../../bench/browser/run.mjs';
import { engineTitle } from '../../bench/lib/view.mjs';
import { Check } from '../ui/field';
import { PlayIcon, StopIcon } from '../ui/icons';
import { Note } from '../ui/note';
import { Progress } from '../ui/progress';
import { Section } from '../ui/section';
import { Segmented } from '../ui/segmented';
import { adapter, choice, expectedSeconds, run, running, software, stop, type Choice } from './state';

const SIZE_TITLES: Record<Size, string> = { quick: 'Quick', standard: 'Standard', full: 'Full' };

export function SetupSection() {
  const { suites, engines, size } = choice.value;
  const busy = running.value !== null;
  const set = (patch: Partial<Choice>): void => { choice.value = { ...choice.value, ...patch }; };
  const toggled = (list: readonly string[], name: string, on: boolean): string[] => (on ? [...list, name] : list.filter((each) => each !== name));
  const ready = adapter.value !== null && !('missing' in adapter.value);
  return (
    <Section id="setup" title="What to run" lead="Each engine runs in a worker of its own. They take turns, one sample each, round after round, and their outputs are compared before anything is timed.">
      <div class="bench-choices">
        <fieldset class="bench-list" disabled={busy}>
          <legend class="legend">Suites</legend>
          {Object.entries(SUITES).map(([name, { title, what }]) => (
            <Check key={name} label={title} hint={what} checked={suites.includes(name)} onChange={(on) => set({ suites: Object.keys(SUITES).filter((each) => toggled(suites, name, on).includes(each)) })} />
          ))}
        </fieldset>
        <fieldset class="bench-list" disabled={busy}>
          <legend class="legend">Engines</legend>
          {Object.keys(ENGINES).map((name) => <EngineCheck key={name} name={name} checked={engines.includes(name)} onChange={(on) => set({ engines: toggled(engines, name, on) })} />)}
        </fieldset>
      </div>
      <div class="bench-start">
        <Segmented<Size> legend="Size" value={size} onChange={(next) => set({ size: next })} options={SIZES.map((value) => ({ value, label: SIZE_TITLES[value], disabled: busy }))} />
        <p class="quiet">{timeWords(choice.value)}</p>
        {busy
          ? <button type="button" class="button" onClick={stop} disabled={running.value?.stopping}><StopIcon size={18} />Stop</button>
          : <button type="button" class="button primary" disabled={!ready || suites.length === 0} onClick={() => void run()}><PlayIcon size={18} />Run</button>}
      </div>
      {suites.length === 0 && <p class="quiet">Choose at least one suite.</p>}
      <RunningView />
      {software() && <Note kind="warn"><p>This adapter is software: the processor computes. The figures compare engines with each other; they say nothing about a GPU. Sizes are smaller here.</p></Note>}
    </Section>
  );
}

function EngineCheck({ name, checked, onChange }: { readonly name: string; readonly checked: boolean; readonly onChange: (on: boolean) => void }) {
  const missing = lacking(name);
  const own = name === 'graft';
  const hint = ((): string => {
    if (missing.length > 0) return 'not in this build of the page';
    if (own) return `${versionOf(name) ?? ''}; always runs, since others are compared with it`;
    if (name === 'graft-eager') return 'without capture and replay';
    const version = versionOf(name) ?? '';
    return name === 'jax' && software() ? `${version}; slow to start here` : name === 'ort' ? `${version}; forward only, 27 MB to fetch` : version;
  })();
  return <Check label={engineTitle(name)} hint={hint} checked={own || (checked && missing.length === 0)} disabled={own || missing.length > 0} onChange={onChange} />;
}

function RunningView() {
  const now = running.value;
  return (
    <div>
      {now && <Progress label={now.stopping ? 'Stopping' : `${SUITES[now.suite]?.title ?? ''}: ${now.text}`} value={now.index} max={now.of > 1 ? now.of : null} text={now.of > 1 ? `suite ${now.index + 1} of ${now.of}` : ''} />}
    </div>
  );
}

function timeWords(wanted: Choice): string {
  const seconds = expectedSeconds(wanted);
  if (seconds === null) return software() ? 'To the end, however long: hours on this adapter.' : 'To the end, however long: many minutes.';
  const words = seconds < 90 ? `about ${Math.max(10, Math.round(seconds / 10) * 10)} seconds` : `about ${Math.round(seconds / 60)} minutes`;
  return seconds === 0 ? '' : `${words[0].toUpperCase()}${words.slice(1)}, and the time that engines take to start and to compile. What does not fit in is left out and said.`;
}
