/**
 * One engine, as a process of its own: two runtimes that bring a Dawn each clash in one. Started by client.mjs with the
 * engine's module and its configuration; then answers one request at a time, and waits without using the processor.
 */
import { kernelActions } from '../lib/engineKernels.mjs';

const [, , module, text] = process.argv;
const config = JSON.parse(text);

process.on('disconnect', () => process.exit(0));
try {
  const { open } = await import(module);
  const engine = await open(config);
  const actions = {
    ...(engine.openKernel ? kernelActions(engine.openKernel) : {}),
    ...engine.actions,
    memory: () => ({ rss: process.memoryUsage().rss, peakRss: process.resourceUsage().maxRSS * 1024, ...engine.memory?.() }),
    exit: () => process.exit(0),
  };
  process.on('message', async ({ action, ...rest }) => {
    try {
      if (!Object.hasOwn(actions, action)) throw new Error(`no action '${action}'`);
      process.send({ result: (await actions[action](rest)) ?? null });
    } catch (error) {
      process.send({ error: String(error?.stack ?? error) });
    }
  });
  process.send({ result: { adapter: engine.adapter ?? null, workloads: engine.workloads ?? [], ...engine.first } });
} catch (error) {
  process.send({ error: String(error?.stack ?? error) });
}
