/**
 * The web app in numbers: what the first visit of a page costs, what its own thread does while the worker trains, how
 * fast the worker trains beside Node on the same adapter, live pictures, snapshots, and the bench page's suites. What is
 * measured how is said in bench/README.md.
 *
 *   npm run build && node bench/app.mjs [section...] [--rounds 3] [--epochs 2] [--size quick] [--json FILE]
 */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { findSwiftshader } from '../src/node/system.mjs';
import { SIZES } from './browser/plans.mjs';
import { facts } from './node/facts.mjs';
import { measureLoads } from './studio/load.mjs';
import { measureBeside, measureSuites } from './studio/page.mjs';
import { linesOf } from './studio/report.mjs';
import { measureLive, measureRuns, measureThread } from './studio/runs.mjs';
import { openSite } from './studio/site.mjs';

const SECTIONS = {
  load: (site, { rounds }) => measureLoads(site, rounds),
  thread: (site, { epochs }) => measureThread(site, epochs),
  speed: async (site, { epochs }) => ({ page: await measureRuns(site, epochs, { disk: true }), node: await inNode(epochs) }),
  snapshots: async (site, { epochs }, before) => ({ disk: before.speed?.page ?? (await measureRuns(site, epochs, { disk: true })), memory: await measureRuns(site, epochs, { disk: false }) }),
  live: (site, { epochs }) => measureLive(site, epochs),
  beside: (site, { rounds }) => measureBeside(site, rounds),
  suites: (site, { size }) => measureSuites(site, size),
};

/** Node on the driver that Chromium has beside it; elsewhere than on Linux both take the machine's own adapter. */
async function inNode(epochs) {
  const driver = findSwiftshader();
  const script = join(dirname(fileURLToPath(import.meta.url)), 'studio/nodeRuns.mjs');
  const { stdout } = await promisify(execFile)(process.execPath, [script, String(epochs)], { env: { ...process.env, ...(driver && { VK_DRIVER_FILES: driver }) } });
  return JSON.parse(stdout.trim().split('\n').at(-1));
}

function parsed() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { rounds: { type: 'string', default: '3' }, epochs: { type: 'string', default: '2' }, size: { type: 'string', default: 'quick' }, json: { type: 'string' }, dist: { type: 'string' } },
    });
    const unknown = positionals.find((name) => !(name in SECTIONS));
    if (unknown !== undefined) throw new Error(`there is no section '${unknown}'; there are ${Object.keys(SECTIONS).join(', ')}`);
    const [rounds, epochs] = [Number(values.rounds), Number(values.epochs)];
    if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`--rounds must be a whole number of at least 1, got '${values.rounds}'`);
    if (!Number.isInteger(epochs) || epochs < 2) throw new Error(`--epochs must be a whole number of at least 2, as the first compiles; got '${values.epochs}'`);
    if (!SIZES.includes(values.size)) throw new Error(`--size must be one of ${SIZES.join(', ')}, got '${values.size}'`);
    return { ...values, rounds, epochs, names: positionals.length > 0 ? Object.keys(SECTIONS).filter((name) => positionals.includes(name)) : Object.keys(SECTIONS) };
  } catch (error) {
    console.error(error.message);
    process.exit(2);
  }
}

const options = parsed();
const file = options.json;
const all = file && existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
const site = await openSite(options.dist);
try {
  const measured = {};
  for (const name of options.names) {
    const started = await facts({ packages: [], built: true });
    const result = await SECTIONS[name](site, options, measured);
    measured[name] = result;
    all[name] = { facts: started, result };
    console.log(linesOf(name, result, started).join('\n'));
    if (file) writeFileSync(file, `${JSON.stringify(all, null, 1)}\n`); // each section is kept as soon as it is there
  }
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  await site.close();
}
