/**
 * Loads the files of scripts/reference/write_torchvision_files.py and compares logits with torchvision's.
 *
 *   npm run build && node scripts/checkTorchvisionFiles.mjs FOLDER
 */
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Tensor, load, noGrad, openFile, openGpu, openWeights, scope, seededInputs } from '../dist/node.js';

const BOUND = 1e-3;
const fixtures = join(dirname(fileURLToPath(import.meta.url)), '..', 'test', 'fixtures', 'logits');
const folder = process.argv[2];
if (folder === undefined) {
  console.error('usage: node scripts/checkTorchvisionFiles.mjs FOLDER (see scripts/reference/write_torchvision_files.py)');
  process.exit(2);
}
const gpu = await openGpu();
let failed = 0;
for (const name of readdirSync(folder).filter((file) => /\.(pth|safetensors)$/.test(file)).sort()) {
  const began = performance.now();
  const model = await load(join(folder, name), { gpu });
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  const fixture = await openWeights(await openFile(join(fixtures, `${model.network.architecture}.safetensors`)));
  const { inputs } = JSON.parse(fixture.metadata.args);
  model.network.eval();
  for (const [key, { shape, seed }] of Object.entries(inputs)) {
    const logits = scope(gpu, () => noGrad(() => model.network.forward(Tensor.fromHost(gpu, seededInputs(shape, seed), 'image'))));
    const got = await logits.toArray();
    const { data: want } = await fixture.read(`logits.${key}`);
    const scale = want.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
    const error = got.reduce((worst, value, i) => Math.max(worst, Math.abs(value - want[i])), 0) / scale;
    if (!(error <= BOUND)) failed++;
    console.log(`${name.padEnd(30)} loaded in ${seconds} s   logits ${shape.join('x').padEnd(12)} error ${error.toExponential(1)}   ${error <= BOUND ? 'pass' : 'FAIL'}`);
    logits.dispose();
  }
  await fixture.close();
  model.dispose();
}
process.exit(failed > 0 ? 1 : 0);
