/**
 * Timing of work that runs elsewhere: so many repeats before one wait that the sample is long enough to be told from
 * the wait. The same for every engine.
 */

const MOST_REPEATS = 2000;

/** Milliseconds an iteration: `repeats` runs and one wait for all of them. */
export async function sample({ run, sync }, repeats) {
  const began = performance.now();
  for (let i = 0; i < repeats; i++) await run();
  await sync();
  return (performance.now() - began) / repeats;
}

/** Repeats for a sample of `least` milliseconds, from a first sample that is thrown away. */
export async function calibrate(work, least) {
  let repeats = 1;
  for (;;) {
    const ms = await sample(work, repeats);
    if (ms * repeats >= least / 2 || repeats >= MOST_REPEATS) return Math.min(MOST_REPEATS, Math.max(1, Math.ceil(least / ms)));
    repeats = Math.min(MOST_REPEATS, Math.max(2 * repeats, Math.ceil(least / 2 / ms)));
  }
}

/** Warm-up, calibration and one sample. */
export async function sampleOnce(work, least) {
  const repeats = await calibrate(work, least);
  return { ms: await sample(work, repeats), repeats };
}

/**
 * Awaits with sleeps, in Node. Dawn there polls for completion on every turn of the event loop, which takes a core from
 * an adapter that runs on the CPU. Graft sleeps between the turns; this gives the same to an engine that does not.
 */
export async function patiently(promise) {
  if (typeof setImmediate !== 'function') return promise;
  let settled = false;
  const result = Promise.resolve(promise).finally(() => {
    settled = true;
  });
  result.catch(() => undefined); // rethrown below
  const cell = new Int32Array(new SharedArrayBuffer(4));
  const began = performance.now();
  for (;;) {
    await new Promise((resolve) => setImmediate(resolve));
    if (settled) return result;
    Atomics.wait(cell, 0, 0, Math.min(1, (performance.now() - began) / 8));
  }
}
