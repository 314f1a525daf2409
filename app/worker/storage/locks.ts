/**
 * Which tab may change what. A lock goes away with its tab, however that ends. Browsers without Web Locks (none of
 * those with WebGPU) get every lock.
 */

export type Release = () => void;

const PREFIX = 'graft-project-';
const PATIENCE = 40; // milliseconds between tries

/** The project's lock, or undefined when another tab has it and keeps it for `waitMs`. */
export async function holdProject(id: string, waitMs = 0): Promise<Release | undefined> {
  const until = performance.now() + waitMs;
  for (;;) {
    const release = await tryLock(`${PREFIX}${id}`);
    if (release || performance.now() >= until) return release;
    await new Promise((resolve) => setTimeout(resolve, PATIENCE));
  }
}

function tryLock(name: string): Promise<Release | undefined> {
  if (!('locks' in navigator)) return Promise.resolve(() => undefined);
  return new Promise((resolve, reject) => {
    navigator.locks.request(name, { ifAvailable: true }, (lock) => {
      if (lock === null) return resolve(undefined);
      return new Promise<void>((done) => resolve(done));
    }).catch(reject);
  });
}

/** Ids of the projects that some tab has open. */
export async function heldProjects(): Promise<ReadonlySet<string>> {
  if (!('locks' in navigator)) return new Set();
  const { held = [] } = await navigator.locks.query();
  return new Set(held.flatMap(({ name }) => (name?.startsWith(PREFIX) ? [name.slice(PREFIX.length)] : [])));
}

/** Resolves when the tab that has the project open closes it, or is closed itself, of which nothing else tells. */
export async function whenFree(id: string): Promise<void> {
  // Shared, so that many may wait; it is given back at once.
  await navigator.locks.request(`${PREFIX}${id}`, { mode: 'shared' }, () => undefined);
}

/** Runs `fn` while no other tab is inside the same name. */
export async function oneAtATime<T>(name: string, fn: () => Promise<T>): Promise<T> {
  if (!('locks' in navigator)) return fn();
  return await navigator.locks.request(`graft-${name}`, fn) as T;
}

/** Calls back when another tab has opened, closed, changed or removed a project. */
export function otherTabs(onNews: () => void): { tell(): void } {
  const channel = typeof BroadcastChannel === 'undefined' ? undefined : new BroadcastChannel('graft-projects');
  channel?.addEventListener('message', onNews);
  return { tell: () => channel?.postMessage('changed') };
}
