/**
 * One engine, in a worker of its own, as a process is in Node (node/serve.mjs): started by the first message, which has
 * its kind and configuration; then answers one request at a time.
 */
import { kernelActions } from '../lib/engineKernels.mjs';
import { preparationMs } from './files.mjs';

/** `openers`: what opens the engine for `kernels` and for a `model`. */
export function serve(openers) {
  let actions;

  async function start({ kind, config }) {
    const found = noteAdapter();
    const engine = await openers[kind](config);
    actions = {
      ...(engine.openKernel ? kernelActions(engine.openKernel) : {}),
      ...engine.actions,
      memory: () => ({ ...engine.memory?.() }),
    };
    return { adapter: engine.adapter ?? found.adapter, workloads: engine.workloads ?? [], ...engine.first, preparationMs };
  }

  self.onmessage = async ({ data: { action, ...rest } }) => {
    try {
      if (action === 'start') return self.postMessage({ result: await start(rest) });
      if (!Object.hasOwn(actions, action)) throw new Error(`no action '${action}'`);
      self.postMessage({ result: (await actions[action](rest)) ?? null });
    } catch (error) {
      self.postMessage({ error: wordsOf(error) });
    }
  };
  self.postMessage({ result: 'loaded' });
}

/** The adapter that the engine asks for, whichever it is. */
function noteAdapter() {
  const found = { adapter: null };
  const { gpu } = navigator;
  if (!gpu) throw new Error('this browser gives workers no WebGPU');
  const request = gpu.requestAdapter.bind(gpu);
  gpu.requestAdapter = async (options) => {
    const adapter = await request(options);
    if (adapter) {
      const { vendor, architecture, description, isFallbackAdapter } = adapter.info;
      found.adapter = { description, vendor, architecture, software: Boolean(isFallbackAdapter) || /swiftshader|llvmpipe/i.test(`${architecture} ${description}`) };
    }
    return adapter;
  };
  return found;
}

function wordsOf(error) {
  if (typeof error === 'number') return `it stopped with the number ${error}, as WebAssembly does when memory runs out`;
  return String(error?.message ?? error);
}
