/**
 * Writes the bench's cases for bench/torch/benchTorch.py.
 *
 *   node bench/exportCases.mjs [--full] [--tiny] [--out FILE]      default: bench/torch/cases.json
 */
import { renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { kernelCases, modelCases, tinyCases } from './lib/cases.mjs';

try {
  const { values } = parseArgs({ options: { full: { type: 'boolean', default: false }, tiny: { type: 'boolean', default: false }, out: { type: 'string', default: join(dirname(fileURLToPath(import.meta.url)), 'torch', 'cases.json') } } });
  const { full, tiny, out } = values;
  const models = tiny ? [{ id: 'ResNet-18, tiny', depth: 18, batch: 2, size: 32, workloads: ['forward', 'head', 'cached', 'full'] }] : modelCases({ full });
  writeFileSync(`${out}.part`, `${JSON.stringify({ format: 'graft-bench-cases-1', kernels: tiny ? tinyCases() : kernelCases({ full }), models }, null, 1)}\n`);
  renameSync(`${out}.part`, out);
  console.log(`wrote ${out}`);
} catch (error) {
  console.error(error.message);
  process.exitCode = 2;
}
