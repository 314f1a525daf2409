// Measures, on the adapter at hand, which algorithms the networks want, and writes those that are clearly faster than the
// families' own first guess to src/gpu/shipped/NAME.ts. May be run in parts: what was measured is kept in .cache and not
// measured again.
//
//   node scripts/shipChoices.mjs NAME [--model resnet18,resnet50] [--size 224] [--width 64] [--batch 1,8] [--plan full]
//                                     [--budget SECONDS] [--fresh] [--write]
//
// The shipped base is a resnet18 of width 32 at 64 pixels. A plan of head has the classes of frozen weights, full those of trained ones.
// NAME: lavapipe, swiftshader. --fresh: what was measured with other shaders is measured again. --write: only write.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { createServer } from 'vite';

const { values: args, positionals: [name] } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: 'string', default: 'resnet18,resnet50' }, size: { type: 'string', default: '224' }, width: { type: 'string', default: '64' }, batch: { type: 'string', default: '1,8' },
    plan: { type: 'string', default: 'full' }, budget: { type: 'string', default: 'Infinity' }, fresh: { type: 'boolean', default: false }, write: { type: 'boolean', default: false },
  },
});
/**
 * A choice is shipped when it gains more than this; less is for those who tune. On SwiftShader a table
 * with gains below a quarter was not seen to make a whole forward pass faster.
 */
const TABLES = {
  lavapipe: { about: "Mesa's lavapipe, a software adapter on Linux.", gain: 1.05 },
  swiftshader: { about: 'SwiftShader, the software adapter inside Chromium.', gain: 1.25 },
};
if (!Object.hasOwn(TABLES, name ?? '')) {
  console.error(`usage: node scripts/shipChoices.mjs ${Object.keys(TABLES).join('|')} [options]; see the top of the file`);
  process.exit(2);
}

const server = await createServer({ configFile: false, logLevel: 'error', server: { middlewareMode: true, hmr: false, ws: false }, appType: 'custom', optimizeDeps: { noDiscovery: true } });
const load = (path) => server.ssrLoadModule(path);
const [{ openGpu }, { randomClassifier }, { modelWork, problemsOf }, { tune }, { shadersHash }] = await Promise.all(
  ['/src/gpu/device.ts', '/src/transfer/classifier.ts', '/src/transfer/modelWork.ts', '/src/tune/tuner.ts', '/src/kernels/sources.ts'].map(load));

const keptPath = `.cache/shipped-${name}.json`;
const kept = readKept();

if (!args.write) await measure();
writeTable();
process.exit(0);

async function measure() {
  const gpu = await openGpu();
  console.log(gpu.adapter.description);
  const deadline = performance.now() + 1000 * Number(args.budget);
  gpu.choices.clear(); // measured against the families' own guesses, not against what was shipped before
  gpu.choices.adopt(Object.entries(kept.results).map(([key, { candidate }]) => [key, candidate]));
  for (const model of args.model.split(',')) {
    for (const batchSize of args.batch.split(',').map(Number)) {
      const classifier = randomClassifier(gpu, model, Array.from({ length: 1000 }, (_, i) => `class ${i}`), { width: Number(args.width) });
      const { works, dispose } = modelWork(classifier, { plan: args.plan, batchSize, size: Number(args.size) });
      const wanted = (await problemsOf(classifier, works)).filter(({ key }) => !Object.hasOwn(kept.results, key));
      console.log(`${model}, width ${args.width}, batch ${batchSize}, ${args.size} px: ${wanted.length} classes`);
      classifier.dispose();
      dispose();
      const report = await tune(gpu, wanted, { defaults: new Map(), known: Object.keys(kept.results), budgetMs: deadline - performance.now(), onProgress: note });
      if (report.ended !== 'finished') return;
    }
  }
}

function note(event) {
  if (event.kind === 'untuned') console.log(`  ${event.untuned.key}: ${event.untuned.reason}`);
  if (event.kind !== 'result') return;
  const { key, candidate, ms, defaultCandidate, defaultMs, gflops, excluded, untried } = event.result;
  kept.results[key] = { candidate, ms, defaultCandidate, defaultMs, gflops, shaders: shadersHash() };
  const gain = defaultMs === null ? 'wrong' : `${(defaultMs / ms).toFixed(2)} x`;
  console.log(`  ${event.done}/${event.total} ${key}: ${candidate} ${ms.toFixed(3)} ms, ${gain} ${defaultCandidate}, ${gflops.toFixed(1)} GFLOP/s${untried ? `, ${untried} untried` : ''}`);
  for (const { id, reason } of excluded) console.log(`      ${id}: ${reason}`);
  writeWhole(keptPath, JSON.stringify(kept, null, 1));
}

function readKept() {
  try {
    const found = JSON.parse(readFileSync(keptPath, 'utf8'));
    const results = Object.entries(found.results).filter(([, { shaders }]) => !args.fresh || shaders === shadersHash());
    return { results: Object.fromEntries(results) };
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
    return { results: {} };
  }
}

function writeTable() {
  const entries = Object.entries(kept.results)
    .filter(([, { defaultMs, ms, candidate, defaultCandidate }]) => candidate !== defaultCandidate && (defaultMs === null || defaultMs > TABLES[name].gain * ms))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const constant = name.toUpperCase();
  const lines = entries.map(([key, { candidate }]) => `  '${key}': '${candidate}',\n`);
  const body = lines.length === 0 ? '{}' : `{\n${lines.join('')}}`;
  writeWhole(`src/gpu/shipped/${name}.ts`, `/** ${TABLES[name].about} Made by scripts/shipChoices.mjs from measurements; do not edit. */
import type { ShippedTable } from '../shipped';

export const ${constant}: ShippedTable = ${body};
`);
  console.log(`src/gpu/shipped/${name}.ts: ${entries.length} of ${Object.keys(kept.results).length} classes`);
}

function writeWhole(path, text) {
  mkdirSync('.cache', { recursive: true });
  writeFileSync(`${path}.tmp`, text);
  renameSync(`${path}.tmp`, path);
}
