/** The bench page's state and what its buttons do. Engines run in workers; this thread only coordinates. */
import { signal } from '@preact/signals';
import { SUITES, secondsOf, type Size } from '../../bench/browser/plans.mjs';
import { ENGINES, lacking, measureVisit, runBench, stop as stopEngines, type OwnModel, type Visit } from '../../bench/browser/run.mjs';
import { engineTitle, markdownOf, sectionView } from '../../bench/lib/view.mjs';
import { attempt, notify } from '../ui/notices';
import { findAdapter, type AdapterView } from './adapter';
import { EMPTY, parseResult, type Result, type ResultSection } from './result';

export const adapter = signal<AdapterView | { readonly missing: string } | null>(null);
export const software = (): boolean => adapter.value !== null && 'software' in adapter.value && adapter.value.software;

export interface Choice {
  readonly suites: readonly string[];
  readonly engines: readonly string[];
  readonly size: Size;
}
const PEERS = ['tfjs', 'ort', 'jax'];
export const choice = signal<Choice>({ suites: ['kernels', 'models'], engines: ['graft', ...PEERS.filter((name) => lacking(name).length === 0)], size: 'quick' });

export interface Running {
  readonly suite: string;
  readonly text: string;
  readonly index: number;
  readonly of: number;
  readonly stopping: boolean;
}
export const running = signal<Running | null>(null);
export const result = signal<Result>(EMPTY);
/** Where the result on the page comes from: a file's name, or null for a run here. */
export const source = signal<string | null>(null);
/** Suites that gave no result, and why. */
export const failures = signal<Readonly<Record<string, string>>>({});
export const notes = signal<readonly string[]>([]);
/** Said aloud. */
export const announcement = signal('');

export async function open(): Promise<void> {
  const found = await findAdapter();
  adapter.value = found;
  // jax-js is slow to compile for an adapter that runs on the processor.
  if ('software' in found && found.software) choice.value = { ...choice.value, engines: choice.value.engines.filter((name) => name !== 'jax') };
}

/** Seconds that the chosen suites take at most, about; null: until they are done. */
export function expectedSeconds({ suites, size }: Choice): number | null {
  const parts = suites.map((suite) => secondsOf(suite, size, software()));
  return parts.includes(null) ? null : parts.reduce<number>((sum, part) => sum + (part ?? 0), 0);
}

export interface RunOptions extends Partial<Choice> {
  readonly own?: OwnModel;
  readonly rounds?: number;
  readonly only?: string;
}

/** Runs what is chosen, or what `options` say instead. Resolves when it has ended. */
export async function run(options: RunOptions = {}): Promise<void> {
  if (running.value) return;
  const { suites, engines, size } = { ...choice.value, ...options };
  const ordered = [...Object.keys(ENGINES), ...engines].filter((name, i, all) => engines.includes(name) && all.indexOf(name) === i);
  result.value = EMPTY;
  source.value = null;
  failures.value = {};
  notes.value = [];
  running.value = { suite: suites[0] ?? '', text: 'starting', index: 0, of: suites.length, stopping: false };
  announcement.value = 'The benchmark runs.';
  const hidden = countHidden();
  const { own, rounds, only } = options;
  const more = { ...(own && { own }), ...(rounds !== undefined && { rounds }), ...(only !== undefined && { only }) };
  try {
    const outcome = await runBench({ suites: suites.filter((name) => Object.hasOwn(SUITES, name)), engines: ordered, size, software: software(), ...more }, {
      onProgress: (suite, text) => {
        if (running.value) running.value = { ...running.value, suite, text: worded(text), index: suites.indexOf(suite) };
      },
      onSection: (suite, section) => keep(suite, section as unknown as ResultSection),
      onFailure: (suite, why) => { failures.value = { ...failures.value, [suite]: why }; },
    });
    if (!outcome.stopped && suites.includes('start') && result.value.sections.start) await visits();
    const seconds = Math.round(hidden() / 1000);
    notes.value = [...outcome.notes, ...(seconds > 0 ? [`the tab was hidden for ${seconds} s of the run, in which browsers slow a page down: the figures may be too long`] : [])];
    announcement.value = outcome.stopped ? 'Stopped. What was measured until then is below.' : 'The benchmark has ended; the results are below.';
  } catch (error) {
    notify({ kind: 'error', text: `The benchmark broke off: ${error instanceof Error ? error.message : String(error)}` });
    announcement.value = 'The benchmark broke off.';
  } finally {
    hidden();
    running.value = null;
  }
}

/** Counts how long the tab is hidden; what it returns ends that, and gives the milliseconds. */
function countHidden(): () => number {
  let since = document.hidden ? performance.now() : null;
  let total = 0;
  const look = (): void => {
    if (since !== null) total += performance.now() - since;
    since = document.hidden ? performance.now() : null;
  };
  document.addEventListener('visibilitychange', look);
  return () => {
    document.removeEventListener('visibilitychange', look);
    look();
    since = null;
    return total;
  };
}

/** How long a visit to the studio takes, with the base that comes with the site. */
async function visits(): Promise<void> {
  const url = new URL('./files/base/', document.baseURI).href;
  const visit: Record<string, Visit> = {};
  try {
    for (const how of ['cold', 'warm', 'together'] as const) {
      if (running.value === null || running.value.stopping) return;
      running.value = { ...running.value, suite: 'start', text: `a visit, ${how}` };
      visit[how] = await measureVisit(url, how);
      const { start } = result.value.sections;
      keep('start', { ...start, visit: { ...visit } } as ResultSection);
    }
  } catch (error) {
    if (!running.value?.stopping) failures.value = { ...failures.value, start: `the visit: ${error instanceof Error ? error.message : String(error)}` };
  }
}

function keep(suite: string, section: ResultSection): void {
  result.value = { ...result.value, sections: { ...result.value.sections, [suite]: section } };
}

export function stop(): void {
  if (running.value) running.value = { ...running.value, stopping: true };
  stopEngines();
}

/** Engines by their titles: the suites name them as code does. */
const worded = (text: string): string => text.replace(/\b(graft-eager|graft|tfjs|jax|ort)\b/g, (name) => engineTitle(name));

export async function loadFile(name: string, blob: Blob): Promise<void> {
  await attempt(async () => {
    const parsed = parseResult(await blob.text(), name);
    try {
      for (const [suite, section] of Object.entries(parsed.sections)) sectionView(suite, section);
    } catch {
      throw new Error(`${name} cannot be drawn: a section is incomplete, or of a kind that this page does not know.`);
    }
    result.value = parsed;
    source.value = name;
    failures.value = {};
    notes.value = [];
    announcement.value = `${name} is shown.`;
  });
}

export const asJson = (): string => `${JSON.stringify(result.value, null, 1)}\n`;
export const asMarkdown = (): string => markdownOf(result.value, Object.fromEntries(Object.entries(SUITES).map(([name, { title }]) => [name, title])));

export function saveJson(): void {
  const url = URL.createObjectURL(new Blob([asJson()], { type: 'application/json' }));
  const link = Object.assign(document.createElement('a'), { href: url, download: `graft-bench-${new Date().toISOString().slice(0, 10)}.json` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

export async function copyMarkdown(): Promise<void> {
  await attempt(async () => {
    await navigator.clipboard.writeText(asMarkdown());
    notify({ kind: 'info', text: 'The tables are on the clipboard, as Markdown.' });
  });
}

declare global {
  /** A handle for tests and the curious: `await graftBench.run({ suites: ['models'], only: 'ResNet-18' })`. */
  var graftBench: { readonly run: typeof run; readonly stop: typeof stop; readonly json: typeof asJson; readonly markdown: typeof asMarkdown };
}
globalThis.graftBench = { run, stop, json: asJson, markdown: asMarkdown };
