/** The state that the page shows: changed here, sent as the slices that changed, a few times a second at most. */
import { DEFAULT_SETTINGS, type StudioState } from '../shared/protocol';

const EVERY = 60; // milliseconds: live figures need no more

export class StateKeeper {
  #state: StudioState = {
    project: { id: '', name: 'Untitled' },
    projects: [],
    device: { kind: 'opening' },
    storage: { usedBytes: null, quotaBytes: null, problem: null },
    classes: [],
    adding: null,
    mapping: null,
    base: { kind: 'none' },
    settings: DEFAULT_SETTINGS,
    run: { kind: 'idle' },
    usable: false,
    costs: 0,
  };
  #changed: Partial<StudioState> = {};
  #listener: ((patch: Partial<StudioState>) => void) | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  get now(): StudioState {
    return this.#state;
  }

  listen(listener: (patch: Partial<StudioState>) => void): void {
    this.#listener = listener;
    listener(this.#state);
  }

  set(patch: Partial<StudioState>): void {
    this.#state = { ...this.#state, ...patch };
    this.#changed = { ...this.#changed, ...patch };
    this.#timer ??= setTimeout(() => this.flush(), EVERY);
  }

  /** Sends what changed now: before a call's answer, so that the page never sees the answer first. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const changed = this.#changed;
    this.#changed = {};
    if (Object.keys(changed).length > 0) this.#listener?.(changed);
  }
}
