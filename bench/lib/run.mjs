/**
 * Runs a suite: starts its engines, measures, and tells with what. Where engines run is the `host`'s affair: processes in
 * Node, workers in a browser. A host has
 *   available(names, kind, notes)       those of the engines that it has
 *   startEngine(name, kind, config)     an engine, ready: `ask(action, more)`, `stop()`, and what it told of itself
 *   modelConfig(model, names, options)  what the engines of a model are started with
 *   facts(names, suite, options), concluded(facts, engines)   when, where and what this was measured with
 */
import { rounded } from './numbers.mjs';
import { CLASSES, headTuningFloor } from './resnet.mjs';
import { Stopped, compareLogits, kernelSuite, modelSuite, rotated, tuningSuite } from './suites.mjs';

const SEED = 1;
const [LR, MOMENTUM] = [1e-3, 0.9];
/** In the plan of `start` there may be fewer. */
const WARM_FORWARDS = 5;

export const DEFAULT_ENGINES = {
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

/**
 * The section of the result, or null when nothing was wanted of it. `context`: `host`; `plan`, `options`, `notes` and
 * `progress`; and, if wanted, `onSection`, which gets the section as far as it is, and `over`, which ends it early.
 */
export async function runSuite(suite, context) {
  const { options, notes, plan, host } = context;
  if (Array.isArray(plan[suite]) && plan[suite].length === 0) return null;
  const wanted = (options.engines ?? DEFAULT_ENGINES[suite]).filter((name) => options.engines === undefined || DEFAULT_ENGINES[suite].includes(name) || suite !== 'tuning');
  const names = host.available(wanted, suite === 'kernels' ? 'kernels' : 'model', notes);
  // Graft measures the ceilings, and others are compared with it.
  if (names.length === 0) throw new Error('no engine to run');
  if (suite === 'kernels' && !names[0].startsWith('graft')) throw new Error('kernels need graft, which measures the ceilings');
  const started = await host.facts(names, suite, options);
  const seen = [];
  const whole = (section) => ({ facts: host.concluded(started, seen), options: { rounds: plan.rounds, sampleMs: options.sample, unchecked: Boolean(options.unchecked), seed: SEED }, ...section });
  const start = (name, kind, config) => startEngine(host, seen, name, kind, config);
  return whole(await SUITES[suite](names, { ...context, start, onSection: (section) => context.onSection?.(whole(structuredClone(section))) }));
}

async function startEngine(host, seen, name, kind, config) {
  const engine = await host.startEngine(name, kind, config);
  running.add(engine);
  const before = seen.findIndex((each) => each.name === name);
  seen.splice(before === -1 ? seen.length : before, before === -1 ? 0 : 1, engine);
  return engine;
}

/** Starts engines one after another; one that does not start is left out and said. */
async function startAll(names, kind, config, failed, { start, progress }) {
  const engines = [];
  for (const name of names) {
    progress(`${name} starts`);
    try {
      engines.push(await start(name, kind, config));
    } catch (error) {
      if (error instanceof Stopped) throw error;
      failed[name] = error.message.split('\n')[0];
    }
  }
  if (engines.length === 0) throw new Error(Object.values(failed).join('; '));
  return engines;
}

/** What a model's engines are started with. */
function modelConfig({ host, options }, { depth, batch, size, classes = CLASSES }, names) {
  return host.modelConfig({ depth, batch, size, classes, seed: SEED, lr: LR, momentum: MOMENTUM }, names, options);
}

async function models(list, names, context) {
  const { options, plan, progress, onSection, over = () => false } = context;
  const results = [];
  for (const item of list) {
    if (results.length > 0 && over()) break;
    progress(`${item.id}: starting`);
    const failed = {};
    const wanted = options.engines ? names : names.filter((name) => !item.without?.includes(name));
    const engines = await startAll(wanted, 'model', await modelConfig(context, item, wanted), failed, context);
    // Of a worker or process of its own to its first logits: the others had nothing to do meanwhile.
    const cold = Object.fromEntries(engines.map(({ name, coldMs }) => [name, rounded(coldMs)]));
    const joined = (result) => ({ ...result, cold, failed: { ...failed, ...result.failed } });
    const onRow = (result) => onSection({ models: [...results, joined(result)] });
    results.push(joined(await modelSuite(item, engines, { rounds: plan.rounds, budgetMs: 1000 * options.budget, progress, onRow, over })));
    await stopAll();
    onSection({ models: results });
  }
  return { models: results, ...(results.length < list.length && { planned: list.length }) };
}

const SUITES = {
  async kernels(names, context) {
    const { options, plan, progress, onSection, over } = context;
    const failed = {};
    const engines = await startAll(names, 'kernels', { unchecked: Boolean(options.unchecked) }, failed, context);
    const onRow = (section) => onSection({ ...section, failed });
    const section = await kernelSuite(plan.kernels, engines, { rounds: plan.rounds, sampleMs: options.sample, budgetMs: 1000 * options.budget, progress, onRow, ...(over && { over }), ...(options.brief && { brief: true }) });
    return { ...section, failed };
  },

  models: (names, context) => models(context.plan.models, names, context),
  curves: (names, context) => models(context.plan.curves, names, context),

  async tuning(names, context) {
    const { model, ...settings } = context.plan.tuning;
    const [own, peer] = ['graft', 'tfjs'].map((name) => (names.includes(name) ? name : undefined));
    if (!own) throw new Error('head tuning needs graft, whose order of images the peer follows');
    const engines = await startAll([own, ...(peer ? [peer] : [])], 'model', await modelConfig(context, model, names), {}, context);
    compareLogits(engines);
    const section = await tuningSuite({ graft: engines[0], peer: engines[1] }, { ...settings, size: model.size, classes: model.classes, seed: SEED, progress: context.progress });
    return { ...section, model: `ResNet-${model.depth}` };
  },

  /** Cold: every time a new process. The driver keeps compiled shaders on disk, so the first time on a machine is slower. */
  async start(names, context) {
    const { times, warm: forwards = WARM_FORWARDS, ...model } = context.plan.start;
    const config = await modelConfig(context, model, names);
    const [cold, warm, phases, failed] = [{}, {}, {}, {}];
    const seen = new Map();
    for (let round = 0; round < times; round++) {
      for (const name of rotated(names, round)) {
        context.progress(`start ${round + 1} of ${times}: ${name}`);
        try {
          const engine = await context.start(name, 'model', config);
          seen.set(name, engine);
          (cold[name] ??= []).push(rounded(engine.coldMs));
          if (engine.phases) phases[name] = phasesOf(engine.phases, engine.coldMs);
          if (round === times - 1) {
            await engine.ask('begin', { workload: 'forward' });
            for (let i = 0; i <= forwards; i++) {
              const { ms } = await engine.ask('run', { workload: 'forward' });
              if (i > 0) (warm[name] ??= []).push(rounded(ms));
            }
          }
          await stop(engine);
        } catch (error) {
          if (error instanceof Stopped) throw error;
          failed[name] = error.message.split('\n')[0];
        }
      }
    }
    const ordered = (of) => Object.fromEntries(names.filter((name) => warm[name]).map((name) => [name, of[name]]));
    if (Object.keys(warm).length === 0) throw new Error(Object.values(failed).join('; '));
    return { model, cold: ordered(cold), warm: ordered(warm), phases, failed, checks: compareLogits([...seen.values()]) };
  },

  /** Bytes on the device while a head is tuned with the trunk in every step, against what that cannot do without. */
  async memory(names, context) {
    const rows = [];
    const failed = {};
    for (const item of context.plan.memory) {
      const { depth, batch, size } = item;
      const config = await modelConfig(context, item, names);
      const engines = {};
      for (const name of names) {
        context.progress(`memory: ${name}`);
        const [engine] = await startAll([name], 'model', config, failed, context);
        await engine.ask('begin', { workload: 'head' });
        for (let i = 0; i < 2; i++) await engine.ask('run', { workload: 'head' });
        engines[name] = await engine.ask('memory');
        await stop(engine);
      }
      rows.push({ id: `ResNet-${depth}, head step, batch ${batch}, ${size} px`, ...item, floor: headTuningFloor(depth, batch, size), engines });
    }
    return { rows, failed };
  },
};

/** How long each phase of a start took, from when it had ended. */
function phasesOf(marks, total) {
  const ends = [['imports', marks.imports], ['device', marks.device], ['weights', marks.weights], ['compile', marks.compiled], ['first result', marks.first]];
  // The parent's clock starts with the request for a process; the child's once it runs.
  const list = ends.map(([name, end], i) => [name, rounded(end - (i > 0 ? ends[i - 1][1] : 0))]);
  return [['process', rounded(Math.max(0, total - marks.first))], ...list];
}
