/**
 * Draws the page of plots from results of the bench, one machine or several.
 *
 *   node bench/makePage.mjs RESULT.json... [--torch FILE...] [--out docs/bench/index.html]
 *
 * The n-th --torch belongs to the n-th result.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

process.exitCode = await main();

async function main() {
  let input;
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { torch: { type: 'string', multiple: true, default: [] }, out: { type: 'string', default: join(root, 'docs/bench/index.html') } },
    });
    const files = positionals.length > 0 ? positionals : [join(root, 'docs/bench/lavapipe.json')];
    if (values.torch.length > files.length) throw new Error(`${values.torch.length} PyTorch files for ${files.length} results`);
    if (!existsSync(dirname(resolve(values.out)))) throw new Error(`--out: there is no folder ${dirname(values.out)}`);
    input = { out: values.out, results: files.map((file, i) => ({ name: basename(file, '.json'), result: read(file, 'graft-bench-1'), torch: values.torch[i] && read(values.torch[i], 'graft-bench-torch-1') })) };
  } catch (error) {
    console.error(error.message);
    return 2;
  }
  let parseHTML;
  try {
    ({ parseHTML } = await import(pathToFileURL(createRequire(join(root, 'bench/page/package.json')).resolve('linkedom')).href));
  } catch {
    console.error('The packages that draw the page are not installed: npm ci --prefix bench/page');
    return 1;
  }
  const { renderPage } = await import('./page/page.mjs');
  const { document } = parseHTML('<!doctype html><html><body></body></html>');
  writeFileSync(`${input.out}.part`, renderPage(input.results, document));
  renameSync(`${input.out}.part`, input.out);
  console.log(`wrote ${input.out}`);
  return 0;
}

function read(file, format) {
  let value;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new Error(`${file} cannot be read: ${error.message}`);
  }
  if (value.format !== format) throw new Error(`${file} has the format '${value.format}', not '${format}'`);
  return value;
}
