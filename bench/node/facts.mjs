/** When, where and what a section was measured with. The adapter comes from the engines once they run. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { join } from 'node:path';
import { BUILT, ROOT } from '../engines/source.mjs';

const fromPeers = createRequire(join(ROOT, 'bench/peers/package.json'));

function packageFile(name) {
  return fromPeers.resolve.paths(name).map((folder) => join(folder, name, 'package.json')).find((file) => existsSync(file));
}

export const missing = (packages) => packages.filter((name) => !packageFile(name));

function git(...args) {
  try {
    return execFileSync('git', args, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return null;
  }
}

/** Source files changed since the build: what is measured is not what is written. */
function newerThanBuild() {
  const builtAt = statSync(BUILT).mtimeMs;
  return ['src', 'shaders'].flatMap((folder) => readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath ?? entry.path, entry.name)))
    .filter((file) => statSync(file).mtimeMs > builtAt).length;
}

/** Share of all processors that was at work during a second in which this process sleeps. */
async function busyShare() {
  const times = () => cpus().map((cpu) => cpu.times).reduce(([busy, all], { user, nice, sys, idle, irq }) => [busy + user + nice + sys + irq, all + user + nice + sys + irq + idle], [0, 0]);
  const [busy, all] = times();
  await sleep(1000);
  const [busyNow, allNow] = times();
  return (busyNow - busy) / Math.max(1, allNow - all);
}

export async function facts({ packages, built }) {
  const versions = { graft: JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).version };
  for (const name of packages) {
    const file = packageFile(name);
    if (file) versions[name] = JSON.parse(readFileSync(file, 'utf8')).version;
  }
  return {
    date: new Date().toISOString(),
    commit: git('rev-parse', 'HEAD'),
    uncommittedChanges: Boolean(git('status', '--porcelain', '--untracked-files=no')),
    filesNewerThanBuild: built && existsSync(BUILT) ? newerThanBuild() : 0,
    node: process.version,
    system: `${process.platform} ${process.arch}, ${availableParallelism()} x ${cpus()[0]?.model ?? 'unknown processor'}`,
    processors: availableParallelism(),
    busy: await busyShare(),
    load: { start: loadavg()[0], end: loadavg()[0] }, // remembers the suite before
    versions,
  };
}

/** Adds what is known only afterwards. */
export function concluded(started, engines) {
  return {
    ...started,
    load: { ...started.load, end: loadavg()[0] },
    adapters: Object.fromEntries(engines.map(({ name, adapter }) => [name, adapter])),
    features: engines.find(({ features }) => features)?.features ?? null,
  };
}
