/**
 * ResNet-18 on this machine's adapter: Graft beside onnxruntime-node's WebGPU provider and TensorFlow.js's WebGPU
 * backend, float32. Every engine is a process of its own; they run in turn, one iteration each, round after round, so
 * that whatever the machine does meanwhile happens to all. What is timed is compared first. See bench/README.md.
 *
 *   npm run build && node bench/models.mjs [--batch 1] [--size 224] [--runs 5] [--only graft,ort,tfjs]
 *                                          [--unchecked] [--json FILE]
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { start } from './peers/client.mjs';
import { WORKLOADS, printReport, rounded } from './peers/report.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '..');
const SEED = 1;
const [LR, MOMENTUM] = [1e-3, 0.9];
/** Of two engines' logits, relative to the largest; and of their losses, relative to the loss. */
const TOLERANCE = 1e-3;
const COLD_STARTS = 3;
/** Runs before timing: the first compiles; both training steps are compared between engines. */
const WARM_UP = 2;

const ENGINES = {
  graft: { title: 'graft', packages: ['webgpu'] },
  ort: { title: 'onnxruntime-node', packages: ['onnxruntime-node'] },
  tfjs: { title: 'tfjs-webgpu', packages: ['@tensorflow/tfjs-backend-webgpu', '@tensorflow/tfjs-core', '@tensorflow/tfjs-layers', 'webgpu'] },
};

const options = readOptions();
const running = new Map();
const failures = [];
const dir = mkdtempSync(join(tmpdir(), 'graft-bench-'));
process.once('SIGINT', () => {
  rmSync(dir, { recursive: true, force: true });
  process.exit(130); // the engines end when their parent does
});
try {
  process.exitCode = await main();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  await Promise.all([...running.values()].map((engine) => engine.stop()));
  rmSync(dir, { recursive: true, force: true });
}

async function main() {
  const names = options.engines.filter(installed);
  if (names.length === 0) throw new Error(failures.join('\n'));
  const { writeFiles } = await import('./peers/files.mjs');
  const { batch, size, unchecked } = options;
  const labels = writeFiles(dir, { batch, size, seed: SEED, engines: names });
  const config = { dir, batch, size, labels, unchecked, lr: LR, momentum: MOMENTUM };
  const result = { ...facts(names), options: { batch, size, runs: options.runs, unchecked, seed: SEED, lr: LR, momentum: MOMENTUM }, cold: {}, rows: {}, memory: {} };

  await coldStarts(names, config, result);
  if (result.filesNewerThanBuild > 0) failures.push(`NOTE ${result.filesNewerThanBuild} source files are newer than dist: npm run build`);
  if (running.size === 0) throw new Error(failures.join('\n'));
  result.adapters = Object.fromEntries([...running].map(([name, { adapter }]) => [name, adapter]));
  result.checks = compareLogits();
  for (const workload of WORKLOADS) await time(workload, result);
  result.load.end = loadavg()[0];
  progress('');
  printReport(result, ENGINES, [...running.keys()]);
  for (const failure of failures) console.log(failure);
  if (options.json) writeAtomic(options.json, `${JSON.stringify(result, null, 1)}\n`);
  return names.every((name) => running.has(name)) ? 0 : 1;
}

/** Starts each engine several times, in turn; the last of each stays. One that does not start is left out. */
async function coldStarts(names, config, result) {
  const rounds = Math.min(COLD_STARTS, options.runs);
  const usable = new Set(names);
  for (let round = 1; round <= rounds; round++) {
    for (const name of rotated(names, round)) {
      if (!usable.has(name)) continue;
      progress(`cold start ${round} of ${rounds}: ${name}`);
      try {
        const engine = await start(name, config);
        (result.cold[name] ??= []).push(rounded(engine.coldMs));
        if (round < rounds) await engine.stop();
        else running.set(name, engine);
      } catch (error) {
        failures.push(`left out, did not start: ${error.message}`);
        usable.delete(name);
      }
    }
  }
  // In the order of the table, whatever the last round's was.
  for (const name of names.filter((each) => running.has(each))) {
    const engine = running.get(name);
    running.delete(name);
    running.set(name, engine);
  }
}

/** One workload: warm up, compare losses, then rounds of one iteration an engine. */
async function time(workload, result) {
  const engines = [...running.values()].filter(({ workloads }) => workloads.includes(workload));
  const row = (result.rows[workload] = { first: {}, ms: {}, losses: {} });
  for (const engine of engines) {
    progress(`${workload}: warming up ${engine.name}`);
    await engine.ask('begin', { workload });
    for (let i = 0; i < WARM_UP; i++) await once(engine, workload, row, i);
  }
  if (workload !== 'forward') compareLosses(workload, row.losses, result.checks);
  for (let round = 0; round < options.runs; round++) {
    for (const engine of rotated(engines, round)) {
      progress(`${workload}: round ${round + 1} of ${options.runs}, ${engine.name}`);
      await once(engine, workload, row, WARM_UP + round);
    }
  }
  for (const engine of engines) ((result.memory[engine.name] ??= {})[workload] = await engine.ask('memory'));
}

async function once(engine, workload, row, count) {
  const { ms, loss } = await engine.ask('run', { workload });
  if (count === 0) row.first[engine.name] = rounded(ms);
  else if (count >= WARM_UP) (row.ms[engine.name] ??= []).push(rounded(ms));
  if (loss === undefined) return;
  if (!Number.isFinite(loss)) throw new Error(`${engine.name}: the loss of '${workload}' became ${loss} at step ${count + 1}`);
  (row.losses[engine.name] ??= []).push(loss);
}

/** The first engine's logits against every other's. */
function compareLogits() {
  const [first, ...others] = [...running.values()];
  const largest = first?.logits.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return others.map(({ name, logits }) => {
    const error = logits.reduce((most, value, i) => Math.max(most, Math.abs(value - first.logits[i])), 0) / largest;
    return check({ what: 'logits', of: [first.name, name], error });
  });
}

/** Loss before the first step, and after it. */
function compareLosses(workload, losses, checks) {
  const [[first, expected] = [], ...others] = Object.entries(losses);
  for (const [name, values] of others) {
    for (let i = 0; i < WARM_UP; i++) {
      const error = Math.abs(values[i] - expected[i]) / Math.abs(expected[i]);
      checks.push(check({ what: `${workload}: loss ${i === 0 ? 'of the first step' : 'after one step'}`, of: [first, name], error, losses: [expected[i], values[i]] }));
    }
  }
}

function check(result) {
  if (result.error <= TOLERANCE) return result;
  const values = result.losses ? ` (${result.losses.join(' and ')})` : '';
  throw new Error(`${result.of.join(' and ')} disagree: ${result.what}, relative error ${result.error.toExponential(2)}${values}, allowed ${TOLERANCE}; no time is told for results that differ`);
}

// Around it

function readOptions() {
  const fail = (message) => {
    console.error(message);
    process.exit(2);
  };
  let values;
  try {
    ({ values } = parseArgs({
      options: {
        batch: { type: 'string', default: '1' },
        size: { type: 'string', default: '224' },
        runs: { type: 'string', default: '5' },
        only: { type: 'string', default: Object.keys(ENGINES).join() },
        unchecked: { type: 'boolean', default: false },
        json: { type: 'string' },
      },
    }));
  } catch (error) {
    fail(error.message);
  }
  const [batch, size, runs] = ['batch', 'size', 'runs'].map((name) => {
    const least = name === 'size' ? 64 : 1;
    const value = Number(values[name]);
    return Number.isInteger(value) && value >= least ? value : fail(`--${name} must be a whole number of at least ${least}, got '${values[name]}'`);
  });
  const wanted = values.only.split(',');
  const unknown = wanted.find((name) => !Object.hasOwn(ENGINES, name));
  if (unknown !== undefined) fail(`--only: no engine is called '${unknown}'; there are ${Object.keys(ENGINES).join(', ')}`);
  if (!existsSync(join(root, 'dist/node.js'))) fail('Graft is not built: npm run build');
  if (values.json && !existsSync(dirname(resolve(values.json)))) fail(`--json: there is no folder ${dirname(values.json)}`);
  const engines = Object.keys(ENGINES).filter((name) => wanted.includes(name));
  return { batch, size, runs, engines, unchecked: values.unchecked, json: values.json && resolve(values.json) };
}

function packageFile(name) {
  const path = createRequire(join(here, 'peers/package.json')).resolve.paths(name).map((folder) => join(folder, name, 'package.json'));
  return path.find((file) => existsSync(file));
}

function installed(name) {
  const { title, packages } = ENGINES[name];
  const missing = packages.filter((each) => !packageFile(each));
  if (missing.length === 0) return true;
  const how = missing.includes('webgpu') ? 'npm ci' : 'npm ci --prefix bench/peers --ignore-scripts';
  failures.push(`left out: ${title} is not installed (${how})`);
  return false;
}

function version(name) {
  return JSON.parse(readFileSync(packageFile(name), 'utf8')).version;
}

/** When, where and what. The adapter comes from the engines once they run. */
function facts(names) {
  const packages = new Set(names.flatMap((name) => ENGINES[name].packages));
  const versions = { graft: JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version };
  for (const name of packages) versions[name] = version(name);
  const git = (...args) => {
    try {
      return execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
    } catch {
      return null;
    }
  };
  const builtAt = statSync(join(root, 'dist/node.js')).mtimeMs;
  const newer = ['src', 'shaders'].flatMap((folder) => readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath ?? entry.path, entry.name)))
    .filter((file) => statSync(file).mtimeMs > builtAt).length;
  return {
    date: new Date().toISOString(),
    commit: git('rev-parse', 'HEAD'),
    uncommittedChanges: Boolean(git('status', '--porcelain', '--untracked-files=no')),
    filesNewerThanBuild: newer,
    node: process.version,
    system: `${process.platform} ${process.arch}, ${availableParallelism()} x ${cpus()[0]?.model ?? 'unknown processor'}`,
    processors: availableParallelism(),
    load: { start: loadavg()[0] },
    versions,
  };
}

function rotated(list, by) {
  const at = by % list.length || 0;
  return [...list.slice(at), ...list.slice(0, at)];
}

function progress(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}\r`);
}

function writeAtomic(path, text) {
  writeFileSync(`${path}.part`, text);
  renameSync(`${path}.part`, path);
}
