/** Starts the engines of a suite, runs it and tells what it was run with. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { rounded } from '../lib/numbers.mjs';
import { CLASSES, headTuningFloor } from '../lib/resnet.mjs';
import { compareLogits, kernelSuite, modelSuite, rotated, tuningSuite } from '../lib/suites.mjs';
import { available, startEngine, REGISTRY } from './engines.mjs';
import { concluded, facts } from './facts.mjs';
import { writeFiles } from './files.mjs';

const SEED = 1;
const [LR, MOMENTUM] = [1e-3, 0.9];
const WARM_FORWARDS = 5;

const DEFAULT_ENGINES = {
  kernels: ['graft', 'graft-unchecked', 'tfjs', 'jax', 'ort'],
  models: ['graft', 'graft-eager', 'graft-unchecked', 'ort', 'tfjs', 'jax'],
  tuning: ['graft', 'tfjs'],
  curves: ['graft', 'tfjs'],
  start: ['graft', 'ort', 'tfjs', 'jax'],
  memory: ['graft'],
};

const running = new Set();

/** Ends every engine that is still running. */
export async function stopAll() {
  await Promise.all([...running].map((engine) => engine.stop()));
  running.clear();
}

async function stop(engine) {
  running.delete(engine);
  await engine.stop();
}

/** The section of the result, or null when nothing was wanted of it. */
export async function runSuite(suite, context) {
  const { options, notes, plan } = context;
  if (Array.isArray(plan[suite]) && plan[suite].length === 0) return null;
  const wanted = (options.engines ?? DEFAULT_ENGINES[suite]).filter((name) => options.engines === undefined || DEFAULT_ENGINES[suite].includes(name) || suite !== 'tuning');
  const names = available(wanted, suite === 'kernels' ? 'kernels' : 'model', notes);
  // Graft measures the ceilings, and others are compared with it.
  if (names.length === 0) throw new Error('no engine to run');
  if (suite === 'kernels' && !names[0].startsWith('graft')) throw new Error('kernels need graft, which measures the ceilings');
  const started = await facts({ packages: names.flatMap((name) => REGISTRY[name].packages), built: options.from === 'dist' && suite !== 'kernels' });
  const { section, engines } = await SUITES[suite](names, context);
  return { facts: concluded(started, engines), options: { rounds: plan.rounds, sampleMs: options.sample, unchecked: Boolean(options.unchecked), seed: SEED }, ...section };
}

/** Starts engines one after another; one that does not start is left out and said. */
async function startAll(names, kind, config, failed) {
  const engines = [];
  for (const name of names) {
    try {
      const engine = await startEngine(name, kind, config);
      running.add(engine);
      engines.push(engine);
    } catch (error) {
      failed[name] = error.message.split('\n')[0];
    }
  }
  if (engines.length === 0) throw new Error(Object.values(failed).join('; '));
  return engines;
}

/** Writes a model's files and returns what its engines are started with. */
async function modelConfig({ dir, options }, { depth, batch, size, classes = CLASSES }, names) {
  const folder = join(dir, `${depth}-${batch}-${size}-${classes}`);
  mkdirSync(folder, { recursive: true });
  const labels = await writeFiles(folder, { depth, batch, size, classes, seed: SEED, formats: names, from: options.from });
  return { dir: folder, model: { depth, batch, size, classes }, labels, lr: LR, momentum: MOMENTUM, unchecked: Boolean(options.unchecked), from: options.from };
}

async function models(list, names, context) {
  const { options, plan, progress } = context;
  const results = [];
  let engines = [];
  for (const item of list) {
    progress(`${item.id}: starting`);
    const failed = {};
    const wanted = options.engines ? names : names.filter((name) => !item.without?.includes(name));
    engines = await startAll(wanted, 'model', await modelConfig(context, item, wanted), failed);
    results.push({ ...(await modelSuite(item, engines, { rounds: plan.rounds, budgetMs: 1000 * options.budget, progress })), failed });
    await stopAll();
  }
  return { section: { models: results }, engines };
}

const SUITES = {
  async kernels(names, { options, plan, progress }) {
    const failed = {};
    const engines = await startAll(names, 'kernels', { unchecked: Boolean(options.unchecked) }, failed);
    const section = await kernelSuite(plan.kernels, engines, { rounds: plan.rounds, sampleMs: options.sample, budgetMs: 1000 * options.budget, progress });
    return { section: { ...section, failed }, engines };
  },

  models: (names, context) => models(context.plan.models, names, context),
  curves: (names, context) => models(context.plan.curves, names, context),

  async tuning(names, context) {
    const { model, ...settings } = context.plan.tuning;
    const [own, peer] = ['graft', 'tfjs'].map((name) => (names.includes(name) ? name : undefined));
    if (!own) throw new Error('head tuning needs graft, whose order of images the peer follows');
    const engines = await startAll([own, ...(peer ? [peer] : [])], 'model', await modelConfig(context, model, names), {});
    compareLogits(engines);
    const section = await tuningSuite({ graft: engines[0], peer: engines[1] }, { ...settings, size: model.size, classes: model.classes, seed: SEED, progress: context.progress });
    return { section: { ...section, model: `ResNet-${model.depth}` }, engines };
  },

  /** Cold: every time a new process. The driver keeps compiled shaders on disk, so the first time on a machine is slower. */
  async start(names, context) {
    const { times, ...model } = context.plan.start;
    const config = await modelConfig(context, model, names);
    const [cold, warm, phases, failed] = [{}, {}, {}, {}];
    const seen = new Map();
    for (let round = 0; round < times; round++) {
      for (const name of rotated(names, round)) {
        context.progress(`start ${round + 1} of ${times}: ${name}`);
        try {
          const engine = await startEngine(name, 'model', config);
          running.add(engine);
          seen.set(name, engine);
          (cold[name] ??= []).push(rounded(engine.coldMs));
          if (engine.phases) phases[name] = phasesOf(engine.phases, engine.coldMs);
          if (round === times - 1) {
            await engine.ask('begin', { workload: 'forward' });
            for (let i = 0; i <= WARM_FORWARDS; i++) {
              const { ms } = await engine.ask('run', { workload: 'forward' });
              if (i > 0) (warm[name] ??= []).push(rounded(ms));
            }
          }
          await stop(engine);
        } catch (error) {
          failed[name] = error.message.split('\n')[0];
        }
      }
    }
    const ordered = (of) => Object.fromEntries(names.filter((name) => warm[name]).map((name) => [name, of[name]]));
    if (Object.keys(warm).length === 0) throw new Error(Object.values(failed).join('; '));
    return { section: { model, cold: ordered(cold), warm: ordered(warm), phases, failed, checks: compareLogits([...seen.values()]) }, engines: [...seen.values()] };
  },

  /** Bytes on the device while a head is tuned with the trunk in every step, against what that cannot do without. */
  async memory(names, context) {
    const rows = [];
    const failed = {};
    let all = [];
    for (const item of context.plan.memory) {
      const { depth, batch, size } = item;
      const config = await modelConfig(context, item, names);
      const engines = {};
      for (const name of names) {
        context.progress(`memory: ${name}`);
        const [engine] = await startAll([name], 'model', config, failed);
        await engine.ask('begin', { workload: 'head' });
        for (let i = 0; i < 2; i++) await engine.ask('run', { workload: 'head' });
        engines[name] = await engine.ask('memory');
        all = [...all, engine];
        await stop(engine);
      }
      rows.push({ id: `ResNet-${depth}, head step, batch ${batch}, ${size} px`, ...item, floor: headTuningFloor(depth, batch, size), engines });
    }
    return { section: { rows, failed }, engines: all };
  },
};

/** How long each phase of a start took, from when it had ended. */
function phasesOf(marks, total) {
  const ends = [['imports', marks.imports], ['device', marks.device], ['weights', marks.weights], ['compile', marks.compiled], ['first result', marks.first]];
  // The parent's clock starts with the request for a process; the child's once it runs.
  const list = ends.map(([name, end], i) => [name, rounded(end - (i > 0 ? ends[i - 1][1] : 0))]);
  return [['process', rounded(Math.max(0, total - marks.first))], ...list];
}
