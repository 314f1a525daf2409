/** Builds dist/ and dist-app/ when they are missing or older than what they are made from. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { finishTypes } from './finishTypes.mjs';
import { npmCommand } from './setup/packages.mjs';
import { run, SetupError, tail } from './setup/run.mjs';

const SOURCES = ['src', 'shaders', 'weights', 'package.json', 'vite.config.ts', 'scripts/minified.ts', 'tsconfig.build.json'];
const PEERS = 'bench/peers';
const PEERS_INSTALLED = `${PEERS}/node_modules/.package-lock.json`;
const APP_SOURCES = [
  'app', 'src', 'shaders', 'weights', 'sample', 'test/fixtures', 'package.json', 'scripts/minified.ts', 'bench/lib', 'bench/browser', `${PEERS}/browser`, `${PEERS}/package-lock.json`, PEERS_INSTALLED,
  ...['tfjsKernels', 'tfjsModel', 'jaxKernels', 'jaxModel', 'ortEngine'].map((name) => `${PEERS}/${name}.mjs`),
];
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
  await installPeers(root, log);
  log('Building dist-app/.');
  await tool(root, 'vite/bin/vite.js', ['build', '--config', join('app', 'vite.config.ts'), '--logLevel', 'warn']);
}

/** The engines that the bench page times beside Graft, where they are missing or others than the lock names. The page does without. */
async function installPeers(root, log) {
  if (isFresh(root, [PEERS_INSTALLED], [`${PEERS}/package-lock.json`])) return;
  log('Downloading the engines of the bench page (tfjs, jax-js, onnxruntime-web).');
  const { command, args, shell } = npmCommand();
  const { status, output } = await run(command, [...args, 'ci', '--prefix', PEERS, '--ignore-scripts', '--omit=optional', '--no-audit', '--no-fund', '--fetch-retries=1', '--fetch-timeout=30000'], { cwd: root, shell });
  if (status !== 0) log(`They could not be downloaded, so the page is built without them:\n${tail(output, 3)}`);
}

async function tool(root, path, args) {
  const { status, output } = await run(process.execPath, [join(root, 'node_modules', path), ...args], { cwd: root });
  if (status !== 0) throw new SetupError(`The build failed (${path.split('/')[0]}); its last lines are above.`, { output: tail(output, 40) });
}
