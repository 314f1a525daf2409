/** The npm packages: whether those installed are the ones the lock names, and `npm ci` when they are not. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { looksOffline, run, SetupError, tail } from './run.mjs';

/**
 * What is amiss with the installed packages, in a few words, or null. `lock` is package-lock.json and `installed` is
 * node_modules/.package-lock.json (npm's own record, written last when it installs), both parsed, or null when missing.
 * A package that is optional may be absent: most of those are other platforms' binaries.
 */
export function packagesProblem(lock, installed) {
  if (installed === null) return 'the packages are not installed';
  const have = installed.packages ?? {};
  for (const [path, entry] of Object.entries(lock?.packages ?? {})) {
    if (path === '') continue;
    const found = have[path];
    const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
    if (found === undefined) {
      if (entry.optional || entry.devOptional || entry.peer) continue;
      return `${name} is not installed`;
    }
    if (found.version !== entry.version || found.integrity !== entry.integrity) {
      return `${name} is ${found.version}, and the lock names ${entry.version}`;
    }
  }
  return null;
}

/** As `packagesProblem`, for a checkout on disk; also notices packages whose folders were removed by hand. */
export function checkPackages(root) {
  const lock = readJson(join(root, 'package-lock.json'));
  const problem = packagesProblem(lock, readJson(join(root, 'node_modules', '.package-lock.json')));
  if (problem !== null) return problem;
  const wanted = lock?.packages?.[''] ?? {};
  const direct = { ...wanted.dependencies, ...wanted.devDependencies, ...wanted.optionalDependencies };
  const gone = Object.keys(direct).find((name) => !existsSync(join(root, 'node_modules', name, 'package.json')));
  return gone === undefined ? null : `${gone} is not installed`;
}

function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return null;
  }
}

/** The command that runs npm: by the npm that started us where there is one, for it need not be on the PATH. */
export function npmCommand(env = process.env, platform = process.platform) {
  const path = env.npm_execpath ?? '';
  if (/npm-cli\.c?js$/.test(path)) return { command: process.execPath, args: [path], shell: false };
  return { command: 'npm', args: [], shell: platform === 'win32' };
}

/**
 * `npm ci`, without install scripts: none of the packages needs one, their binaries are inside them.
 * Development and optional packages are asked for by name, for the user's settings may leave them out.
 */
export async function installPackages(root) {
  const npm = npmCommand();
  const flags = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--include=dev', '--include=optional'];
  const { status, output } = await run(npm.command, [...npm.args, ...flags], { cwd: root, shell: npm.shell });
  if (status === 0) return;
  if (status === 127) throw new SetupError('npm was not found: install it (it comes with Node), then run this again.', { output: tail(output) });
  if (looksOffline(output)) {
    throw new SetupError("The npm packages could not be downloaded: npm's registry cannot be reached. Connect to the network, then run this again.", { offline: true });
  }
  throw new SetupError(`npm ci failed (exit status ${status}); its last lines are above. Mend that, then run this again.`, { output: tail(output) });
}
