/**
 * Waiting for the device without burning a processor, and no longer than it takes.
 *
 * In Node, Dawn polls for completion as often as the event loop turns: a whole core, which a software adapter needs
 * for itself (on two cores it runs at half speed). Sleeping between the turns mends that.
 *
 * Firefox looks every 100 ms whether the device is done, and with every submission (seen in 153). So an empty one is
 * submitted now and then: a read takes 5 ms instead of 100. Other browsers wait by themselves.
 */
import { IN_FIREFOX } from './firefox';

/** Longest sleep in Node, in milliseconds: what a message from a worker may have to wait meanwhile. */
const LONGEST = 1;
/** Longest time between two submissions in Firefox, in milliseconds. */
const LONGEST_FIREFOX = 25;

/** The promise, awaited with sleeps of an eighth of the time waited so far, so that short waits stay short. `nudge` makes an empty submission. */
export async function patiently<T>(promise: Promise<T>, nudge: () => void): Promise<T> {
  if (IN_FIREFOX) return nudging(promise, nudge);
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

async function nudging<T>(promise: Promise<T>, nudge: () => void): Promise<T> {
  const started = performance.now();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const again = (): void => {
    nudge();
    timer = setTimeout(again, Math.min(LONGEST_FIREFOX, (performance.now() - started) / 8));
  };
  timer = setTimeout(again);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}
