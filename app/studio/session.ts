/** The page's end of the worker: its state as signals, one a slice, its methods, and what happens when it cannot start or dies. */
import { batch, signal, type Signal } from '@preact/signals';
import { proxy, wrap, type Remote } from 'comlink';
import { DEFAULT_SETTINGS, type ClassInfo, type StudioApi, type StudioState } from '../shared/protocol';
import { asSentence, notify } from '../ui/notices';

export type SessionState =
  | { readonly kind: 'opening' }
  | { readonly kind: 'open' }
  /** The worker never started, or has ended: nothing can be asked of it until the page is loaded again. */
  | { readonly kind: 'broken'; readonly title: string; readonly message: string };

export const session = signal<SessionState>({ kind: 'opening' });

type Signals = { readonly [K in keyof StudioState]: Signal<StudioState[K]> };

export const state: Signals = {
  project: signal({ id: '', name: 'Untitled' }),
  projects: signal([]),
  device: signal({ kind: 'opening' }),
  storage: signal({ usedBytes: null, quotaBytes: null, problem: null }),
  classes: signal([]),
  adding: signal(null),
  mapping: signal(null),
  base: signal({ kind: 'none' }),
  settings: signal(DEFAULT_SETTINGS),
  run: signal({ kind: 'idle' }),
  usable: signal(false),
  costs: signal(0),
};

/** Also the name of a lock that the worker holds as long as it lives. */
const workerName = `graft-${Date.now().toString(36)}-${performance.now().toString(36).replace('.', '')}`;
let tellGone: (reason: Error) => void;
const gone = new Promise<never>((_, reject) => { tellGone = reject; });
gone.catch(() => undefined); // those who wait for an answer hear of it
const worker = startWorker();

/** Every call is a message to the worker and resolves with its answer; where the worker is gone, it rejects. */
export const studio: Remote<StudioApi> = callsOf(worker && wrap<StudioApi>(worker));

declare global {
  /** A handle for tests and the curious: everything the page can do, and all that it knows. `await graft.studio.addSample()` */
  var graft: { readonly studio: Remote<StudioApi>; readonly state: Signals };
}
globalThis.graft = { studio, state };

/** Opens storage, project and device. Never rejects: `session` tells how it went. */
export async function openSession(): Promise<void> {
  if (session.value.kind === 'broken') return;
  try {
    await studio.open(proxy(receive));
    if (session.value.kind !== 'opening') return;
    session.value = { kind: 'open' };
    void watchLife().catch(() => undefined); // without locks the page only learns less
  } catch (error) {
    if (session.peek().kind === 'opening') breakOff('Graft could not open its storage', asSentence(error));
  }
}

function receive(patch: Partial<StudioState>): void {
  const before = state.classes.peek();
  batch(() => {
    for (const [slice, value] of Object.entries(patch)) (state[slice as keyof StudioState] as Signal<unknown>).value = value;
    if (patch.classes) state.classes.value = withOldOnes(patch.classes, before);
  });
}

/** A message brings all classes anew; those that did not change stay the same objects, so that nothing is drawn again for them. */
function withOldOnes(classes: readonly ClassInfo[], before: readonly ClassInfo[]): readonly ClassInfo[] {
  return classes.map((now) => {
    const old = before.find(({ id }) => id === now.id);
    const same = old && old.name === now.name && old.images.length === now.images.length && old.images.every(({ id, name, part }, i) => id === now.images[i].id && name === now.images[i].name && part === now.images[i].part);
    return same ? old : now;
  });
}

function startWorker(): Worker | null {
  try {
    const started = new Worker(new URL('../worker/main.ts', import.meta.url), { type: 'module', name: workerName });
    started.addEventListener('error', (event) => {
      event.preventDefault();
      const reason = event.message ? asSentence(event.message) : 'Its script could not be loaded.';
      // A worker lives on after an error that nobody caught; one that has not begun never will.
      if (session.value.kind === 'open') notify({ kind: 'error', text: `The worker met an error that it did not expect: ${reason}` });
      else breakOff('The worker could not start', `${reason} Graft computes in a module worker, which this browser or its settings may forbid. Load the page again; if that does not help, use a current Chrome, Edge, Safari or Firefox.`);
    });
    started.addEventListener('messageerror', () => notify({ kind: 'error', text: 'A message from the worker could not be read, so what is shown may be out of date. Load the page again.' }));
    return started;
  } catch (error) {
    breakOff('The worker could not start', `${asSentence(error)} Use a current Chrome, Edge, Safari or Firefox.`);
    return null;
  }
}

/** No event tells of a worker that the browser ended (out of memory, for one), but the lock that it held becomes free. */
async function watchLife(): Promise<void> {
  const held = (await navigator.locks?.query())?.held ?? [];
  if (!held.some(({ name }) => name === workerName)) return;
  await navigator.locks.request(workerName, () => {
    breakOff('The worker has ended', 'The browser ended the part of Graft that holds the project and computes, most likely for lack of memory. What was kept is still there: load the page again to go on from the last snapshot. Fewer or smaller pictures, or a smaller batch, need less memory.');
  });
}

function breakOff(title: string, message: string): void {
  session.value = { kind: 'broken', title, message };
  tellGone(new Error('the worker is not running, so this cannot be done; load the page again'));
}

/** The worker's methods, none of which waits for a worker that is gone. */
function callsOf(remote: Remote<StudioApi> | null): Remote<StudioApi> {
  return new Proxy({} as Remote<StudioApi>, {
    get: (_, name) => (typeof name === 'symbol' || name === 'then' ? undefined : (...values: unknown[]) => {
      const method = remote?.[name as keyof StudioApi] as ((...values: unknown[]) => Promise<unknown>) | undefined;
      return session.value.kind === 'broken' || !method ? gone : Promise.race([method(...values), gone]);
    }),
  });
}
