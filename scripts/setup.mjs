/**
 * Makes a fresh checkout ready: the npm packages, an adapter for WebGPU and, for the tests, a browser. Uses nothing
 * but Node. `npm start` and `npm test` run it first; when nothing is missing it takes a moment and prints one line.
 *
 *   node scripts/setup.mjs [--browser] [--dry-run]
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readAptSources } from '../src/node/aptSources.mjs';
import { probeAdapter } from '../src/node/probe.mjs';
import { adapterRoute, browserRoute, describeSystem, findBrowser, findFirefox, findSwiftshader, firefoxRoute } from '../src/node/system.mjs';
import { aptInstall, installSteps } from './setup/apt.mjs';
import { checkPackages, installPackages } from './setup/packages.mjs';
import { SetupError } from './setup/run.mjs';

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const MEMORY = join(ROOT, 'node_modules', '.cache', 'graft-setup.json');

/** What is wrong with this version of Node, or null. A checkout is built by Vite, which sets the bound. */
export function nodeProblem(version = process.versions.node) {
  const [major, minor] = version.split('.').map(Number);
  const fits = (major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major > 22;
  return fits ? null : `Node ${version} does not fit: install Node 20.19 or later, 22.12 or later, or any from 23 on.`;
}

/**
 * Makes everything ready and returns `{ env, browser, firefox }`: variables to set before WebGPU is used (a driver chosen
 * by its file), and the browsers' paths or null. `adapter: false` leaves the adapter out; `browser: true` asks for both.
 * Throws `SetupError` where it cannot.
 */
export async function setup({ adapter = true, browser = false, dryRun = false, log = console.log } = {}) {
  const problem = nodeProblem();
  if (problem !== null) throw new SetupError(problem);

  const missing = checkPackages(ROOT);
  if (missing !== null) {
    log(`${dryRun ? 'Would install' : 'Installing'} the npm packages: ${missing}.`);
    if (!dryRun) await installPackages(ROOT);
  }

  const system = describeSystem();
  const env = adapter ? await ensureAdapter({ system, dryRun, log }) : {};
  const path = browser ? await ensureBrowser({ system, dryRun, log }) : findBrowser();
  const firefox = browser ? await ensureFirefox({ system, dryRun, log }) : findFirefox();
  return { env, browser: path, firefox };
}

/**
 * An adapter: of a driver that is there, hardware before software; else Mesa's software driver, installed where we may;
 * else SwiftShader, which every Chromium brings, and which is several times slower.
 */
async function ensureAdapter({ system, dryRun, log }) {
  const known = recall(memoryKey());
  if (known !== null) return announce(known, log);
  const found = (probe, env = {}) => {
    if (!dryRun) remember({ key: memoryKey(), info: probe.info, env });
    return announce({ info: probe.info, env }, log);
  };

  const first = await probeAdapter();
  if (first.status === 'ok') return found(first);
  if (first.status === 'no-package') {
    if (dryRun) {
      log('Would then ask WebGPU for an adapter, and install a software one where it has none.');
      return {};
    }
    throw new SetupError(`The webgpu package is not there for ${system.platform} ${system.arch}: run npm ci --include=optional, then this again.`);
  }

  const route = adapterRoute(system, readAptSources());
  let trouble = null;
  if (route.install !== null) {
    trouble = await perform(route, { what: 'a software adapter for WebGPU', dryRun, log });
    if (dryRun) return {};
    const second = await probeAdapter();
    if (second.status === 'ok') return found(second);
  }
  const swiftshader = await probeSwiftshader();
  if (swiftshader !== null) {
    if (trouble !== null) log(`A faster software adapter could not be installed. ${trouble.message}`);
    if (route.install === null && route.command !== null) log(`A software adapter several times faster is to be had. Run: ${route.command}`);
    return found(swiftshader.probe, swiftshader.env);
  }
  const chromium = browserRoute(system).install;
  if (chromium !== null && findBrowser() === null && trouble?.offline !== true) {
    const install = { ...chromium, packages: [...chromium.packages, 'libvulkan1'] };
    const why = "Mesa's software driver is not to be had here, and Chromium brings another";
    trouble = await perform({ install, why }, { what: 'a software adapter for WebGPU', dryRun, log });
    if (dryRun) return {};
    const third = await probeSwiftshader();
    if (third !== null) return found(third.probe, third.env);
  }

  if (trouble !== null) throw trouble;
  const reason = first.status === 'failed' ? ` (${first.message})` : '';
  const mend = route.install !== null ? ' Run: npm start -- doctor' : route.command !== null ? ` Run: ${route.command}` : '';
  throw new SetupError(`WebGPU finds no adapter${reason}: ${route.why}.${mend}`);
}

/** What SwiftShader offers where a Chromium has brought it, and the variables that choose it; or null. */
async function probeSwiftshader() {
  const icd = findSwiftshader();
  if (icd === null) return null;
  const env = { VK_DRIVER_FILES: icd };
  const probe = await probeAdapter({ env });
  return probe.status === 'ok' ? { probe, env } : null;
}

/**
 * Installs what a route says, or, in a dry run, prints the steps. Returns what went wrong (a `SetupError`), or null:
 * the caller may know another way.
 */
async function perform({ install, why }, { what, dryRun, log }) {
  if (dryRun) {
    log(`Would install ${what} (${why}):`);
    for (const step of installSteps(install)) log(`  ${step}`);
    return null;
  }
  log(`Installing ${what}: ${install.packages.join(', ')} (${why}).`);
  try {
    await aptInstall(install, log);
    return null;
  } catch (error) {
    if (error instanceof SetupError) return error;
    throw error;
  }
}

/** A browser for the tests. Without one the other tests still run, so this warns rather than fails. */
function ensureBrowser({ system, dryRun, log }) {
  return ensure({ find: findBrowser, route: browserRoute(system), name: 'Chromium', tests: 'The browser tests', other: 'Chromium or Google Chrome', dryRun, log });
}

/** The other engine that has WebGPU everywhere; as `ensureBrowser`. */
function ensureFirefox({ system, dryRun, log }) {
  return ensure({ find: findFirefox, route: firefoxRoute(system), name: 'Firefox', tests: 'The tests in Firefox', other: 'Firefox', dryRun, log });
}

async function ensure({ find, route, name, tests, other, dryRun, log }) {
  const found = find();
  if (found !== null) return found;
  if (route.install === null) {
    const mend = route.command === null ? `Install ${other}` : `Run: ${route.command}`;
    log(`${tests} cannot run: ${route.why}. ${mend}`);
    return null;
  }
  const trouble = await perform(route, { what: `${name} for the browser tests`, dryRun, log });
  if (trouble !== null) log(`${tests} cannot run. ${trouble.message}`);
  return find();
}

function remember(known) {
  try {
    mkdirSync(dirname(MEMORY), { recursive: true });
    writeFileSync(MEMORY, `${JSON.stringify(known, null, 2)}\n`);
  } catch {
    // A checkout that may not be written to is asked again next time.
  }
}

function announce({ info, env }, log) {
  const name = info.description || info.device || `${info.vendor} ${info.architecture}`;
  log(`Adapter: ${name}${info.software ? ' (software: runs on the CPU)' : ''}`);
  return env;
}

/** The adapter that was found under the same conditions, or null. */
function recall(key) {
  try {
    const known = JSON.parse(readFileSync(MEMORY, 'utf8'));
    return known.key === key ? known : null;
  } catch {
    return null;
  }
}

/** Changes when another adapter may be found: the packages, Node, the driver files, the devices, the settings. */
function memoryKey() {
  const facts = [process.version, process.platform, process.arch];
  for (const name of ['VK_DRIVER_FILES', 'VK_ICD_FILENAMES', 'VK_ADD_DRIVER_FILES', 'VK_LOADER_DRIVERS_SELECT']) {
    facts.push(`${name}=${process.env[name] ?? ''}`);
  }
  const home = process.env.XDG_DATA_HOME ?? join(process.env.HOME ?? '/', '.local/share');
  const folders = ['/usr/share', '/usr/local/share', '/etc', home].map((folder) => join(folder, 'vulkan/icd.d'));
  for (const folder of [...folders, '/dev/dri']) {
    for (const name of list(folder)) facts.push(stamp(join(folder, name)));
  }
  facts.push(...list('/dev').filter((name) => name.startsWith('nvidia')));
  facts.push(stamp(join(ROOT, 'node_modules/webgpu/package.json')), stamp(findSwiftshader() ?? ''));
  for (const folder of ['/usr/lib', '/usr/lib64', '/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu']) {
    for (const name of ['libvulkan.so.1', 'libvulkan_lvp.so']) facts.push(stamp(join(folder, name)));
  }
  const hash = createHash('sha256').update(facts.join('\n'));
  return hash.update(readFileSync(join(ROOT, 'package-lock.json'))).digest('hex');
}

function list(folder) {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

function stamp(path) {
  try {
    return `${path} ${statSync(path).mtimeMs}`;
  } catch {
    return `${path} none`;
  }
}

/** Prints a `SetupError` as it is meant to be read and sets the exit status; throws anything else on. */
export function reportSetupError(error) {
  if (!(error instanceof SetupError)) throw error;
  if (error.output !== '') console.error(error.output);
  console.error(error.message);
  process.exitCode = 1;
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const known = ['--browser', '--dry-run', '--help'];
  const options = process.argv.slice(2);
  const odd = options.find((option) => !known.includes(option));
  if (odd !== undefined || options.includes('--help')) {
    const usage = 'Usage: node scripts/setup.mjs [--browser] [--dry-run]';
    if (odd === undefined) console.log(usage);
    else console.error(`Unknown option '${odd}'. ${usage}`);
    process.exitCode = odd === undefined ? 0 : 2;
  } else {
    await setup({ browser: options.includes('--browser'), dryRun: options.includes('--dry-run') }).catch(reportSetupError);
  }
}
