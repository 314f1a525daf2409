/**
 * What transfer is worth on the sample: a new head on the shipped base against the same network from random weights,
 * on the same 120 images, judged on 200 test images in other fonts.
 *
 *   npm run build && node bench/transfer.mjs [--seeds 5] [--scratch-epochs 60] [--json FILE]
 *
 * Scratch gets three times the head's epochs and the better of two learning rates on validation images.
 */
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { evaluate, fineTune, imageFolder, load, openGpu, randomClassifier } from '../dist/node.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const { values } = parseArgs({
  options: { seeds: { type: 'string', default: '5' }, 'scratch-epochs': { type: 'string', default: '60' }, json: { type: 'string' } },
});
const gpu = await openGpu();
const data = await imageFolder(join(root, 'sample'));
console.log(`${gpu.adapter.description}; ${data.train.items.length} + ${data.validation.items.length} images, ${data.test.items.length} for the test\n`);

async function judged(classifier, options) {
  const began = performance.now();
  const result = await fineTune(classifier, data, options);
  const seconds = (performance.now() - began) / 1000;
  const { accuracy } = await evaluate(classifier, data.test);
  classifier.dispose();
  return { accuracy, seconds, validation: result.validation.accuracy, loss: result.validation.loss, epochs: result.history.length };
}

const scratchEpochs = Number(values['scratch-epochs']);
const rows = [];
for (let seed = 0; seed < Number(values.seeds); seed++) {
  const base = await load('base', { gpu, classes: data.classes, seed });
  const { architecture, width } = base.network;
  const { preprocessing } = base;
  const head = await judged(base, { plan: 'head', seed });
  const tries = [];
  for (const lr of [1e-3, 4e-3]) {
    const model = randomClassifier(gpu, architecture, data.classes, { width, preprocessing, seed });
    tries.push(await judged(model, { plan: 'full', epochs: scratchEpochs, patience: 0, optimizer: { name: 'adamw', lr }, seed }));
  }
  const scratch = tries.reduce((a, b) => (b.validation > a.validation || (b.validation === a.validation && b.loss < a.loss) ? b : a));
  rows.push({ seed, head, scratch });
  const show = ({ accuracy, seconds, epochs }) => `${(100 * accuracy).toFixed(1).padStart(5)} % (${epochs} epochs, ${seconds.toFixed(1)} s)`;
  console.log(`seed ${seed}   head on the base ${show(head)}   from scratch ${show(scratch)}`);
}

/** Mean and sample standard deviation, in percent. */
function summary(pick) {
  const xs = rows.map((row) => 100 * pick(row).accuracy);
  const mean = xs.reduce((a, b) => a + b, 0) / xs.length;
  const deviation = Math.sqrt(xs.reduce((a, x) => a + (x - mean) ** 2, 0) / Math.max(1, xs.length - 1));
  return `${mean.toFixed(1)} ± ${deviation.toFixed(1)} %`;
}
console.log(`\nmean     head on the base ${summary((row) => row.head)}   from scratch ${summary((row) => row.scratch)}`);
if (values.json) writeFileSync(values.json, `${JSON.stringify({ adapter: gpu.adapter, rows }, null, 1)}\n`);
await data.close();
process.exit(0);
