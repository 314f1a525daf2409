/**
 * Graft beside its peers on this machine's adapter: kernels, networks, head tuning, scaling, start and memory. What it
 * measures and how is said in bench/README.md.
 *
 *   npm run bench -- [suite...] [options]
 */
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync, existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { curveCases, kernelCases, modelCases, tinyCases } from './lib/cases.mjs';
import { CLASSES, KNOWN_DEPTHS } from './lib/resnet.mjs';
import { runSuite, stopAll } from './lib/run.mjs';
import { sectionLines } from './lib/table.mjs';
import { REGISTRY } from './node/engines.mjs';
import { nodeHost } from './node/run.mjs';

const SUITES = ['kernels', 'models', 'tuning', 'curves', 'start', 'memory'];

const wholeNumber = (least) => (text) => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least) throw new InvalidArgumentError(`It must be a whole number of at least ${least}.`);
  return value;
};
const listOf = (known) => (text) => {
  const names = text.split(',');
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new InvalidArgumentError(`There is no '${unknown}'; there are ${known.join(', ')}.`);
  return names;
};

const program = new Command('bench')
  .description("Times Graft beside its peers on this machine's adapter. Without a suite: all of them, in about twenty minutes on two cores.")
  .argument('[suite...]', `what to measure: ${SUITES.join(', ')}`, (text, before = []) => [...before, ...listOf(SUITES)(text)])
  .option('--engines <list>', `engines to run: ${Object.keys(REGISTRY).join(', ')}`, listOf(Object.keys(REGISTRY)))
  .option('--full', 'more shapes, more rounds, and every epoch of every peer: hours on a software adapter')
  .option('--rounds <n>', 'rounds a row (default 5, with --full 9)', wholeNumber(1))
  .option('--sample <ms>', 'least length of a kernel sample', wholeNumber(1), 40)
  .option('--budget <s>', 'end a row after three rounds when it has taken this long', wholeNumber(1), 5)
  .option('--only <text>', 'only rows whose name has this in it, such as "k3 s1" or "ResNet-50"')
  .option('--depth <n>', 'one model of your own: its depth', wholeNumber(1))
  .option('--batch <n>', '… its batch', wholeNumber(1))
  .option('--size <px>', '… height and width of its images', wholeNumber(32))
  .option('--peer-epochs <n>', 'head tuning: epochs that a peer without kept features runs; the rest is taken at their mean', wholeNumber(1))
  .option('--unchecked', "Dawn's bounds checks and validation off for all; a web page cannot do that")
  .addOption(new Option('--from <place>', 'Graft as it was built, or its sources').choices(['dist', 'src']).default('dist'))
  .option('--json <file>', 'write every sample; a file that is there keeps its other suites')
  .addOption(new Option('--tiny').hideHelp())
  .addHelpText('after', '\nThe page of plots: npm run bench:page. Cases for PyTorch: npm run bench:cases. See bench/README.md.')
  .exitOverride();

process.exitCode = await main();

async function main() {
  let options;
  try {
    program.parse();
    options = program.opts();
    options.suites = program.processedArgs[0]?.length ? [...new Set(program.processedArgs[0])] : SUITES;
    check(options);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2; // commander has said it
    console.error(error.message);
    return 2;
  }
  const dir = mkdtempSync(join(tmpdir(), 'graft-bench-'));
  process.once('SIGINT', () => {
    rmSync(dir, { recursive: true, force: true });
    process.exit(130); // the engines end when their parent does
  });
  const notes = new Set();
  let failed = false;
  try {
    const context = { host: nodeHost(dir), notes, options, progress, plan: planOf(options) };
    for (const suite of options.suites) {
      try {
        const section = await runSuite(suite, context);
        if (section === null) continue;
        progress('');
        for (const line of sectionLines(suite, section)) console.log(line);
        if (options.json) save(options.json, suite, section);
      } catch (error) {
        progress('');
        console.error(`${suite}: ${error.message}`);
        failed = true;
      } finally {
        await stopAll();
      }
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
  for (const note of notes) console.log(note);
  return failed ? 1 : 0;
}

function check({ depth, json, from }) {
  if (depth !== undefined && !KNOWN_DEPTHS.includes(depth)) throw new Error(`--depth: there are ResNets of ${KNOWN_DEPTHS.join(', ')} layers, not ${depth}`);
  if (json && !existsSync(dirname(resolve(json)))) throw new Error(`--json: there is no folder ${dirname(json)}`);
  if (from === 'dist' && !existsSync(join(import.meta.dirname ?? dirname(new URL(import.meta.url).pathname), '../dist/node.js'))) throw new Error('Graft is not built: npm run build, or --from src');
}

/** What each suite measures. */
function planOf({ full = false, tiny = false, only, depth, batch, size, rounds, peerEpochs }) {
  const wanted = (list) => list.filter(({ id }) => only === undefined || id.includes(only));
  const custom = depth !== undefined || batch !== undefined || size !== undefined;
  const own = { depth: depth ?? 18, batch: batch ?? 1, size: size ?? 224, workloads: ['forward', 'head', 'cached', 'full'] };
  const tinyModel = { id: 'ResNet-18, tiny', depth: 18, batch: 2, size: 32, workloads: ['forward', 'head', 'cached', 'full'] };
  return {
    rounds: rounds ?? (tiny ? 1 : full ? 9 : 5),
    kernels: wanted(tiny ? tinyCases() : kernelCases({ full })),
    models: wanted(tiny ? [tinyModel] : custom ? [{ ...own, id: `ResNet-${own.depth}, batch ${own.batch}, ${own.size} px` }] : modelCases({ full })),
    curves: wanted(tiny ? [{ ...tinyModel, axis: 'batch', value: 2, workloads: ['forward'] }] : curveCases({ full })),
    tuning: {
      model: { depth: depth ?? 18, batch: 1, size: tiny ? 32 : (size ?? 96), classes: 10 },
      images: tiny ? 6 : 500, epochs: tiny ? 2 : 10, batchSize: tiny ? 4 : (batch ?? 32), peerEpochs: peerEpochs ?? (full || tiny ? 10 : 1),
    },
    start: { depth: depth ?? 18, batch: batch ?? 1, size: tiny ? 32 : (size ?? 224), classes: CLASSES, times: tiny ? 1 : 3 },
    memory: [{ depth: depth ?? (tiny ? 18 : 50), batch: tiny ? 2 : (batch ?? 32), size: tiny ? 32 : (size ?? 224) }],
  };
}

/** Replaces the suite's section in the file. A file that cannot be read is not overwritten. */
function save(file, suite, section) {
  let result = { format: 'graft-bench-1', sections: {} };
  if (existsSync(file)) {
    try {
      result = JSON.parse(readFileSync(file, 'utf8'));
      if (result.format !== 'graft-bench-1') throw new Error(`its format is '${result.format}'`);
    } catch (error) {
      throw new Error(`${file} is no result of this bench (${error.message}); give another name, or remove it`);
    }
  }
  result.sections[suite] = section;
  writeFileSync(`${file}.part`, `${JSON.stringify(result, null, 1)}\n`);
  renameSync(`${file}.part`, file);
}

function progress(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text.slice(0, (process.stderr.columns ?? 80) - 1)}\r`);
}
