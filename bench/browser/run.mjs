/** The bench's host in a browser: engines are workers, and each makes what it reads by itself. */
import { build } from 'virtual:bench-build';
import { labelsOf } from '../lib/modelFiles.mjs';
import { DEFAULT_ENGINES, runSuite, stopAll } from '../lib/run.mjs';
import { Stopped } from '../lib/suites.mjs';
import { start, stopEverything } from './client.mjs';
import { planOf, secondsOf } from './plans.mjs';

const graft = () => new Worker(new URL('./graft.mjs', import.meta.url), { type: 'module', name: 'graft' });

export const ENGINES = {
  graft: { make: graft, packages: [], kinds: ['kernels', 'model'] },
  'graft-eager': { make: graft, packages: [], kinds: ['model'], config: { eager: true } },
  ort: { make: () => new Worker(new URL('../peers/browser/ort.mjs', import.meta.url), { type: 'module', name: 'onnxruntime-web' }), packages: ['onnxruntime-web'], kinds: ['kernels', 'model'] },
  tfjs: {
    make: () => new Worker(new URL('../peers/browser/tfjs.mjs', import.meta.url), { type: 'module', name: 'tfjs' }), kinds: ['kernels', 'model'],
    packages: ['@tensorflow/tfjs-core', '@tensorflow/tfjs-layers', '@tensorflow/tfjs-backend-webgpu'],
  },
  jax: { make: () => new Worker(new URL('../peers/browser/jax.mjs', import.meta.url), { type: 'module', name: 'jax-js' }), packages: ['@jax-js/jax'], kinds: ['kernels', 'model'] },
};

/** Packages of an engine that this build of the page does not have. */
export const lacking = (name) => ENGINES[name].packages.filter((each) => build.versions[each] === undefined);
export const versionOf = (name) => (name.startsWith('graft') ? build.versions.graft : (build.versions[ENGINES[name].packages[0]] ?? null));

const host = {
  available(names, kind, notes) {
    return names.filter((name) => {
      if (!ENGINES[name]?.kinds.includes(kind)) return false;
      const missing = lacking(name);
      if (missing.length > 0) notes.add(`left out: ${name}, for ${missing.join(', ')} is not in this build`);
      return missing.length === 0;
    });
  },
  startEngine: (name, kind, config) => start(name, ENGINES[name].make, kind, { ...config, ...ENGINES[name].config }),
  modelConfig: ({ depth, batch, size, classes, ...rest }) => ({ model: { depth, batch, size, classes }, labels: labelsOf({ batch, classes }), ...rest }),
  facts(names) {
    const used = ['graft', ...names.flatMap((name) => ENGINES[name].packages)];
    return {
      date: new Date().toISOString(), commit: build.commit, uncommittedChanges: build.changed, filesNewerThanBuild: 0, node: null, browser: browserName(),
      system: `${systemName()}, ${navigator.hardwareConcurrency} processors`, processors: navigator.hardwareConcurrency, busy: null, load: null,
      versions: Object.fromEntries(used.filter((name) => build.versions[name]).map((name) => [name, build.versions[name]])),
    };
  },
  concluded: (started, engines) => ({
    ...started,
    adapters: Object.fromEntries(engines.map(({ name, adapter }) => [name, adapter])),
    features: engines.find(({ features }) => features)?.features ?? null,
  }),
};

/**
 * Runs suites one after another. `wanted`: `{ suites, engines, size, software, own, rounds }`. `onProgress` gets words,
 * `onSection` a suite's name and its section as far as it is, `onFailure` a suite's name and why it has none.
 * Resolves to notes. After `stop()` it resolves soon, and what was measured stays.
 */
export async function runBench({ suites, engines, size, software, own, rounds, only }, { onProgress, onSection, onFailure }) {
  const notes = new Set();
  const planned = planOf(size, software, own);
  const kept = (list) => (only === undefined ? list : list.filter(({ id }) => id.includes(only)));
  const plan = { ...planned, rounds: rounds ?? planned.rounds, kernels: kept(planned.kernels), models: kept(planned.models) };
  for (const suite of suites) {
    // Counted from the first row's end: engines take long to start on some machines.
    let until;
    const over = () => {
      until ??= performance.now() + 1000 * (secondsOf(suite, size, software) ?? Infinity);
      return performance.now() > until;
    };
    // Head tuning and memory are of certain engines; of the others those that the visitor chose.
    const names = engines.filter((name) => DEFAULT_ENGINES[suite].includes(name));
    try {
      const section = await runSuite(suite, {
        host, notes, plan, options: { engines: names, sample: 40, budget: rounds === undefined ? (size === 'quick' ? 2 : 5) : Infinity, ...((size === 'quick' || software) && { brief: true }) },
        progress: (text) => onProgress(suite, text), onSection: (part) => onSection(suite, part), over,
      });
      if (section !== null) onSection(suite, section);
    } catch (error) {
      if (error instanceof Stopped) return { stopped: true, notes: [...notes] };
      onFailure(suite, error.message);
    } finally {
      await stopAll();
    }
  }
  return { stopped: false, notes: [...notes] };
}

export function stop() {
  stopEverything();
}

/** Times of a visit to a page with the shipped base, each in a worker of its own. `how`: see lib/start.mjs. */
export async function measureVisit(url, how) {
  const worker = await start('visit', () => new Worker(new URL('./visit.mjs', import.meta.url), { type: 'module', name: 'visit' }), 'visit', {});
  try {
    return await worker.ask('visit', { url, how });
  } finally {
    await worker.stop();
  }
}

function browserName() {
  const brand = navigator.userAgentData?.brands?.find(({ brand: name }) => !/not.a.brand|^chromium$/i.test(name)) ?? navigator.userAgentData?.brands?.find(({ brand: name }) => /chromium/i.test(name));
  if (brand) return `${brand.brand} ${brand.version}`;
  const found = /(Firefox|Edg|Chrome|Version)\/([\d.]+)/.exec(navigator.userAgent);
  return found ? `${found[1] === 'Version' ? 'Safari' : found[1]} ${found[2]}` : navigator.userAgent;
}

function systemName() {
  return navigator.userAgentData?.platform || /\(([^;)]+)/.exec(navigator.userAgent)?.[1] || 'unknown system';
}
