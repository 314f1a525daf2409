/** The page's end of the worker: its state as signals, one a slice, and its methods. */
import { signal, type Signal } from '@preact/signals';
import { proxy, wrap, type Remote } from 'comlink';
import { DEFAULT_SETTINGS, type StudioApi, type StudioState } from '../shared/protocol';

const worker = new Worker(new URL('../worker/main.ts', import.meta.url), { type: 'module', name: 'graft' });

/** Every call is a message to the worker and resolves with its answer. */
export const studio: Remote<StudioApi> = wrap<StudioApi>(worker);

type Signals = { readonly [K in keyof StudioState]: Signal<StudioState[K]> };

export const state: Signals = {
  project: signal({ id: '', name: 'Untitled' }),
  projects: signal([]),
  device: signal({ kind: 'opening' }),
  storage: signal({ usedBytes: null, quotaBytes: null, problem: null }),
  classes: signal([]),
  adding: signal(null),
  base: signal({ kind: 'none' }),
  settings: signal(DEFAULT_SETTINGS),
  run: signal({ kind: 'idle' }),
  usable: signal(false),
};

export function openSession(): Promise<void> {
  return studio.open(proxy((patch: Partial<StudioState>) => {
    for (const [slice, value] of Object.entries(patch)) (state[slice as keyof StudioState] as Signal<unknown>).value = value;
  }));
}
