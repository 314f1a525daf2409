/**
 * A timed engine is a process of its own: two runtimes with a Dawn each clash in one. It opens its device, loads the
 * weights, computes logits once, says so, and then runs one iteration whenever bench/models.mjs asks for it, so that
 * rounds of all engines alternate.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What every engine is given: `{ dir, batch, size, labels, lr, momentum, unchecked }`. */
export const config = JSON.parse(process.argv[2]);

export function readFloats(file) {
  const { buffer, byteOffset, byteLength } = readFileSync(join(config.dir, file));
  return new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength));
}

/**
 * Serves an engine: `forward()` resolves to the logits, `begin(workload)` loads the weights anew and sets the workload
 * up, `step(workload)` resolves to the loss of one training step, `memory()` tells bytes on the device. Each resolves
 * when the GPU is done, because it reads its result back.
 */
export async function serve(open) {
  process.on('disconnect', () => process.exit(0));
  const engine = await open();
  const logits = await engine.forward();
  const actions = {
    begin: ({ workload }) => engine.begin?.(workload),
    async run({ workload }) {
      const began = performance.now();
      const result = workload === 'forward' ? await engine.forward() : await engine.step(workload);
      const ms = performance.now() - began;
      return workload === 'forward' ? { ms } : { ms, loss: result };
    },
    memory: () => ({ rss: process.memoryUsage().rss, peakRss: process.resourceUsage().maxRSS * 1024, ...engine.memory?.() }),
    exit: () => process.exit(0),
  };
  process.on('message', async ({ action, ...rest }) => {
    try {
      process.send({ result: (await actions[action](rest)) ?? null });
    } catch (error) {
      process.send({ error: String(error?.stack ?? error) });
    }
  });
  process.send({ result: { logits, adapter: engine.adapter ?? null, workloads: engine.workloads } });
}

/**
 * Awaits with sleeps. Dawn in Node polls for completion on every turn of the event loop, which takes a core from an
 * adapter that runs on the CPU. Graft sleeps between the turns; this gives the same to an engine that does not.
 */
export async function patiently(promise) {
  let settled = false;
  const result = promise.finally(() => {
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
