/**
 * Waiting for the device without burning a processor. In Node, Dawn polls for completion as often as the event loop
 * turns: a whole core, which a software adapter needs for itself (on two cores it runs at half speed). Sleeping
 * between the turns mends that. Browsers wait by themselves.
 */

/** Longest sleep, in milliseconds: what a message from a worker may have to wait meanwhile. */
const LONGEST = 1;

/** The promise, awaited with sleeps of an eighth of the time waited so far, so that short waits stay short. */
export async function patiently<T>(promise: Promise<T>): Promise<T> {
  if (typeof setImmediate !== 'function' || typeof process === 'undefined' || !process.versions?.node) return promise;
  let settled = false;
  const result = promise.finally(() => {
    settled = true;
  });
  result.catch(() => undefined); // rethrown below
  const cell = new Int32Array(new SharedArrayBuffer(4));
  const started = performance.now();
  for (;;) {
    await new Promise((resolve) => setImmediate(resolve));
    if (settled) return result;
    Atomics.wait(cell, 0, 0, Math.min(LONGEST, (performance.now() - started) / 8));
  }
}
