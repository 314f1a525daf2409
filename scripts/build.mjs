/** Builds dist/ and dist-app/ when they are missing or older than what they are made from. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { finishTypes } from './finishTypes.mjs';
import { run, SetupError, tail } from './setup/run.mjs';

const SOURCES = ['src', 'shaders', 'weights', 'package.json', 'vite.config.ts', 'scripts/minified.ts', 'tsconfig.build.json'];
const APP_SOURCES = ['app', 'src', 'shaders', 'weights', 'sample', 'test/fixtures', 'package.json'];
const BUNDLES = ['index.js', 'node.js', 'cli.js', 'imageWorker.js', 'graft.min.js'];
const TYPES = ['types/index.d.ts', 'types/node/index.d.ts'];

/** Latest change, in milliseconds, of a file or of anything in a folder; the folders count, for files that went. */
export function newest(path) {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return 0;
  if (!stat.isDirectory()) return stat.mtimeMs;
  const inside = readdirSync(path).map((name) => newest(join(path, name)));
  return Math.max(stat.mtimeMs, ...inside);
}

/** Whether every one of `outputs` exists and is as new as the newest of `sources`. Paths are relative to `root`. */
export function isFresh(root, outputs, sources) {
  const changed = Math.max(...sources.map((path) => newest(join(root, path))));
  return outputs.every((path) => (statSync(join(root, path), { throwIfNoEntry: false })?.mtimeMs ?? -1) >= changed);
}

/** Builds the bundles and, with `types`, the declarations, as far as they are out of date. Throws `SetupError`. */
export async function build(root, { types = false, log = console.log } = {}) {
  if (!isFresh(root, BUNDLES.map((name) => join('dist', name)), SOURCES)) {
    log('Building dist/.');
    // Emptying dist/ is part of the build, so the declarations go too and are seen as missing below.
    await tool(root, 'vite/bin/vite.js', ['build', '--logLevel', 'warn']);
  }
  if (types && !isFresh(root, TYPES.map((name) => join('dist', name)), SOURCES)) {
    await tool(root, 'typescript/bin/tsc', ['-p', 'tsconfig.build.json']);
    finishTypes(join(root, 'dist', 'types'), join(root, 'src'));
  }
}

/** Whether dist-app/ is as new as what it is made from. */
export function appIsFresh(root) {
  return isFresh(root, [join('dist-app', 'index.html')], APP_SOURCES);
}

/** Builds the web app as far as it is out of date. Throws `SetupError`. */
export async function buildApp(root, { log = console.log } = {}) {
  if (appIsFresh(root)) return;
  log('Building dist-app/.');
  await tool(root, 'vite/bin/vite.js', ['build', '--config', join('app', 'vite.config.ts'), '--logLevel', 'warn']);
}

async function tool(root, path, args) {
  const { status, output } = await run(process.execPath, [join(root, 'node_modules', path), ...args], { cwd: root });
  if (status !== 0) throw new SetupError(`The build failed (${path.split('/')[0]}); its last lines are above.`, { output: tail(output, 40) });
}
