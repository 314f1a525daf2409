/**
 * The measurements themselves, over engines that answer requests, wherever those run: a process each in Node, a worker
 * each in a browser. In every suite engines take turns, one sample each, round after round, and the order rotates, so
 * that whatever the machine does meanwhile happens to all; and nothing is timed before its outputs were compared.
 */
import { inputsOf, deviation } from './reference.mjs';
import { rounded } from './numbers.mjs';

/** Of an element by the size of a typical one; f32 sums of thousands of terms and Winograd's transforms stay below. */
export const KERNEL_TOLERANCE = 1e-4;
/** Of two engines' logits, relative to the largest; and of their losses, relative to the first loss. */
export const MODEL_TOLERANCE = 1e-3;
/** Runs before timing: the first compiles; both training steps are compared between engines. */
const WARM_UP = 2;
/** Kernel rows between two measurements of the ceilings. */
const ROWS_PER_CEILING = 8;

/** What ends a suite at once, rather than being noted as one engine's failure. */
export class Stopped extends Error {
  constructor() {
    super('stopped');
    this.name = 'Stopped';
  }
}

/** Why an engine failed, in one line. */
function reasonOf(error) {
  if (error instanceof Stopped) throw error;
  return error.message.split('\n')[0];
}

/** An engine that fails while it is timed has no figure in this row; the others go on. */
async function orLeaveOut(engine, timed, row, fn) {
  try {
    await fn();
  } catch (error) {
    row.failed[engine.name] = reasonOf(error);
    delete row.ms[engine.name];
    if (row.jsMs) delete row.jsMs[engine.name];
    timed.splice(timed.indexOf(engine), 1);
  }
}

export function rotated(list, by) {
  const at = by % list.length || 0;
  return [...list.slice(at), ...list.slice(0, at)];
}

/**
 * Kernels. `engines`: handles with `name` and `ask`; the first one measures the ceilings. `sampleMs`: least length of a
 * sample. An engine that fails at a case or disagrees with the reference gets no time there, and the reason is kept.
 * `brief`: ceilings in a hurry. `onRow` gets the section so far; after the first, no row is begun once `over()` is true.
 */
export async function kernelSuite(cases, engines, { rounds, sampleMs, brief = false, budgetMs, progress, onRow = () => undefined, over = () => false }) {
  const ceilings = { fma: [], copy: [] };
  const measureCeilings = async () => {
    progress('ceilings');
    const { fma, copy } = await engines[0].ask('ceilings', { least: brief ? sampleMs / 4 : 3 * sampleMs, brief });
    ceilings.fma.push(rounded(fma));
    ceilings.copy.push(rounded(copy));
  };
  const rows = [];
  for (const [i, item] of cases.entries()) {
    if (i > 0 && over()) break;
    if (i % ROWS_PER_CEILING === 0) await measureCeilings();
    rows.push(await kernelRow(item, engines, { rounds, sampleMs, budgetMs, progress: (text) => progress(`${i + 1} of ${cases.length}: ${item.id}: ${text}`) }));
    onRow({ ceilings, rows });
  }
  if (rows.length > 1) await measureCeilings();
  return { ceilings, rows, ...(rows.length < cases.length && { planned: cases.length }) };
}

async function kernelRow(item, engines, { rounds, sampleMs, budgetMs, progress }) {
  const inputs = inputsOf(item);
  const row = { ...item, ms: {}, deviation: {}, firstMs: {}, repeats: {}, failed: {} };
  const ready = [];
  for (const engine of engines) {
    progress(`${engine.name} compiles`);
    try {
      const prepared = await engine.ask('prepareKernel', { item });
      if (prepared === null) continue;
      row.deviation[engine.name] = rounded(deviation(item, inputs, prepared.values));
      row.firstMs[engine.name] = rounded(prepared.firstMs);
      if (!(row.deviation[engine.name] <= KERNEL_TOLERANCE)) throw new Error(`wrong result: off by ${row.deviation[engine.name]} of a typical element`);
      row.repeats[engine.name] = await engine.ask('calibrateKernel', { least: sampleMs });
      ready.push(engine);
    } catch (error) {
      row.failed[engine.name] = reasonOf(error);
    }
  }
  const began = performance.now();
  for (let round = 0; round < rounds && (round < 3 || performance.now() - began < budgetMs); round++) {
    for (const engine of rotated(ready, round)) {
      progress(`round ${round + 1} of ${rounds}, ${engine.name}`);
      await orLeaveOut(engine, ready, row, async () => (row.ms[engine.name] ??= []).push(rounded(await engine.ask('timeKernel'))));
    }
  }
  for (const engine of ready) await engine.ask('endKernel').catch((error) => (row.failed[engine.name] = reasonOf(error)));
  return row;
}

/**
 * One model: its workloads over engines that have loaded it. An engine whose outputs differ from the first one's gets no
 * times, and `failed` says so. `onRow` gets the result so far; after the first, no workload is begun once `over()` is true.
 */
export async function modelSuite(item, engines, { rounds, budgetMs, progress, onRow = () => undefined, over = () => false }) {
  const failed = {};
  const result = { ...item, checks: [], rows: {}, memory: {}, failed };
  const agreeing = engines.filter((engine) => noted(failed, engine, () => result.checks.push(...compareLogits([engines[0], engine]))));
  for (const [i, workload] of item.workloads.entries()) {
    if (i > 0 && over()) break;
    const able = agreeing.filter(({ workloads }) => workloads.includes(workload));
    const row = { first: {}, ms: {}, jsMs: {}, failed: {} };
    const losses = {};
    const once = async (engine, count) => {
      const { ms, jsMs, loss } = await engine.ask('run', { workload });
      if (count === 0) row.first[engine.name] = rounded(ms);
      if (count >= WARM_UP) {
        (row.ms[engine.name] ??= []).push(rounded(ms));
        if (jsMs !== undefined) (row.jsMs[engine.name] ??= []).push(rounded(jsMs));
      }
      if (loss === undefined) return;
      if (!Number.isFinite(loss)) throw new Error(`the loss became ${loss} at step ${count + 1}`);
      (losses[engine.name] ??= []).push(loss);
    };
    const warm = [];
    for (const engine of able) {
      progress(`${item.id}, ${workload}: ${engine.name} warms up`);
      try {
        await engine.ask('begin', { workload });
        for (let i = 0; i < WARM_UP; i++) await once(engine, i);
        warm.push(engine);
      } catch (error) {
        row.failed[engine.name] = reasonOf(error);
      }
    }
    const usable = warm.filter((engine) => noted(row.failed, engine, () => result.checks.push(...compareLosses(workload, losses, engine.name))));
    const began = performance.now();
    for (let round = 0; round < rounds && (round < 3 || performance.now() - began < budgetMs); round++) {
      for (const engine of rotated(usable, round)) {
        progress(`${item.id}, ${workload}: round ${round + 1} of ${rounds}, ${engine.name}`);
        await orLeaveOut(engine, usable, row, () => once(engine, WARM_UP + round));
      }
    }
    result.rows[workload] = row;
    for (const engine of [...usable]) await orLeaveOut(engine, usable, row, async () => ((result.memory[engine.name] ??= {})[workload] = await engine.ask('memory')));
    onRow(result);
  }
  return result;
}

/** Whether `fn` went well; if not, the reason is noted. */
function noted(failed, { name }, fn) {
  try {
    fn();
    return true;
  } catch (error) {
    failed[name] = reasonOf(error);
    return false;
  }
}

/** The first engine's logits against every other's. */
export function compareLogits(engines) {
  const [first, ...others] = engines;
  const largest = first.logits.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return others.filter((each) => each !== first).map(({ name, logits }) => {
    const error = logits.length === first.logits.length ? logits.reduce((most, value, i) => Math.max(most, Math.abs(value - first.logits[i])), 0) / largest : Infinity;
    return check({ what: 'logits', of: [first.name, name], error });
  });
}

/** Loss before the first step, and after it, by which it may have fallen to nothing: errors are told relative to the first. */
function compareLosses(workload, losses, name) {
  const [[first, expected] = []] = Object.entries(losses);
  if (first === undefined || name === first || losses[name] === undefined) return [];
  return losses[name].slice(0, WARM_UP).map((loss, i) => check({ what: `${workload}, loss of step ${i + 1}`, of: [first, name], error: Math.abs(loss - expected[i]) / Math.abs(expected[0]) }));
}

function check(result) {
  if (result.error <= MODEL_TOLERANCE) return { ...result, error: rounded(result.error) };
  throw new Error(`${result.of.join(' and ')} disagree: ${result.what}, relative error ${result.error.toExponential(2)}, allowed ${MODEL_TOLERANCE}; no time is told for results that differ`);
}

/**
 * Head tuning: Graft's `fineTune` beside the loop one would write with a peer, without and with features kept by hand.
 * Engines run one after another here, for each takes minutes. A peer may run fewer epochs without kept features; then
 * `measuredEpochs` tells how many, and its time is that of the rest too, at the mean of those that ran.
 */
export async function tuningSuite({ graft, peer }, { images, epochs, peerEpochs, batchSize, size, classes, seed, progress }) {
  const common = { images, epochs, batchSize, size, classes, seed };
  progress('head tuning: graft');
  const own = await graft.ask('tune', common);
  const runs = [{ name: graft.name, kind: 'fineTune', measuredEpochs: epochs, ms: rounded(own.ms), epochsMs: own.epochsMs.map(rounded), losses: own.losses }];
  for (const keepFeatures of peer ? [true, false] : []) {
    const measured = keepFeatures ? epochs : Math.min(peerEpochs, epochs);
    progress(`head tuning: ${peer.name}, ${keepFeatures ? 'kept features' : 'no kept features'}, ${measured} epochs`);
    const { ms, losses, epochsMs } = await peer.ask('tune', { ...common, keepFeatures, orders: own.orders.slice(0, measured) });
    losses.forEach((loss, i) => check({ what: `mean loss of epoch ${i + 1}`, of: [graft.name, peer.name], error: Math.abs(loss - own.losses[i]) / Math.abs(own.losses[0]) }));
    runs.push({ name: peer.name, kind: keepFeatures ? 'features kept by hand' : 'no kept features', measuredEpochs: measured, ms: rounded(keepFeatures ? ms : (ms * epochs) / measured), epochsMs: epochsMs.map(rounded), losses });
  }
  return { ...common, runs };
}
