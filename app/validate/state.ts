/** The validate page's state and what its buttons do. Stop ends the worker; verdicts so far stay. */
import { batch, computed, signal } from '@preact/signals';
import { verdictsToJson, type Verdict } from '../../src/validate/verdict';
import type { AdapterFacts } from '../../src/gpu/adapter';
import { notify } from '../ui/notices';
import type { Report, Task } from './messages';

export const verdicts = signal<readonly Verdict[]>([]);
export const adapter = signal<AdapterFacts | null>(null);
/** Why there is no WebGPU. */
export const missing = signal<string | null>(null);
export const notes = signal<readonly string[]>([]);
export const announcement = signal('');

export interface Progress {
  readonly total: number | null;
  readonly name: string;
}
export const progress = signal<Progress | null>(null);

export const counts = computed(() => {
  const found = { pass: 0, fail: 0, error: 0, loosened: 0 };
  for (const { status, loosened } of verdicts.value) {
    found[status]++;
    if (loosened) found.loosened++;
  }
  return found;
});

let worker: Worker | undefined;
let finished: (() => void) | undefined;

/** Runs what is given, in place of what was there. Resolves when it has ended or was stopped. */
export function validate(task: Task): Promise<void> {
  stop();
  batch(() => {
    verdicts.value = [];
    notes.value = [];
    progress.value = { total: null, name: '' };
    announcement.value = 'Fixtures are being run.';
  });
  const started = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module', name: 'validate' });
  worker = started;
  started.onmessage = ({ data }: MessageEvent<Report>) => receive(data);
  started.onerror = (event) => {
    event.preventDefault();
    receive({ kind: 'broken', message: event.message || 'the worker\'s scripts could not be loaded', device: false });
  };
  started.postMessage(task);
  return new Promise((resolve) => { finished = resolve; });
}

export function stop(): void {
  if (worker) end(`Stopped after ${verdicts.value.length} of ${progress.value?.total ?? 'the'} fixtures.`);
}

function end(words: string): void {
  worker?.terminate();
  worker = undefined;
  batch(() => {
    progress.value = null;
    announcement.value = words;
  });
  finished?.();
  finished = undefined;
}

function receive(report: Report): void {
  switch (report.kind) {
    case 'device': batch(() => { adapter.value = report.adapter; missing.value = null; }); break;
    case 'found': progress.value = { total: report.total, name: '' }; break;
    case 'begins': progress.value = { total: progress.value?.total ?? null, name: report.name }; break;
    case 'verdict': verdicts.value = [...verdicts.value, report.verdict]; break;
    case 'note': notes.value = [...notes.value, report.text]; break;
    case 'done': {
      const { pass, fail, error } = counts.value;
      if (verdicts.value.length === 0) notify({ kind: 'error', text: 'There is no fixture among these files: fixtures are .safetensors files.' });
      end(verdicts.value.length === 0 ? 'No fixture was found.' : `Done: ${pass} passed, ${fail} failed, ${error} could not be run.`);
      break;
    }
    case 'broken':
      if (report.device) missing.value = report.message;
      else notify({ kind: 'error', text: `The run broke off: ${report.message}` });
      end(report.device ? 'There is no WebGPU to run fixtures on.' : 'The run broke off.');
  }
}

/** The repository's own fixtures; `names`: only these of them. */
export function validateOwn(names?: readonly string[]): Promise<void> {
  return validate({ kind: 'own', url: new URL('./files/fixtures/', document.baseURI).href, ...(names && { names }) });
}

export const asJson = (): string => verdictsToJson(verdicts.value);

export function saveJson(): void {
  const url = URL.createObjectURL(new Blob([`${asJson()}\n`], { type: 'application/json' }));
  Object.assign(document.createElement('a'), { href: url, download: 'graft-validate.json' }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

declare global {
  /** A handle for tests and the curious. */
  var graftValidate: { readonly own: typeof validateOwn; readonly json: typeof asJson; readonly stop: typeof stop };
}
globalThis.graftValidate = { own: validateOwn, json: asJson, stop };
