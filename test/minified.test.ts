/** The core as one small file: its size, and that shaders without comments and parts that come late work as in the sources. */
import { readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { build } from 'vite';
import { MINIFIED, barer } from '../scripts/minified';
import * as graft from '../src/index';
import { ROOT } from './support/cli';

type Graft = typeof graft;

/** Inside the repository, where Node finds the webgpu package. */
const folder = join(ROOT, '.cache', `test-min-${process.pid}`);
let text = '';
let min: Graft;

beforeAll(async () => {
  await build({ root: ROOT, logLevel: 'error', build: { outDir: folder, emptyOutDir: true } });
  text = readFileSync(join(folder, MINIFIED), 'utf8');
  min = (await import(/* @vite-ignore */ pathToFileURL(join(folder, MINIFIED)).href)) as Graft;
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('is below 100 KB, gzipped, in one file', () => {
  expect(gzipSync(text, { level: 9 }).byteLength).toBeLessThan(100_000);
  expect(text).not.toMatch(/\bfrom\s*["'`]|^import\s*["'`]/m);
  expect(text).toContain('@compute @workgroup_size');
  expect(text).not.toContain('node:');
  expect(readdirSync(folder).filter((name) => name.endsWith('.min.js')).sort()).toEqual(
    ['graft.imagenet_classes.min.js', 'graft.min.js', 'graft.tools.min.js', 'graft.torchFile.min.js']);
});

it('has the whole public API', () => {
  expect(Object.keys(graft).filter((name) => !(name in min))).toEqual([]);
});

it('leaves shaders as they are but for comments and space', () => {
  const bare = barer('struct Params { size: u32 } // in fours\n\n  // note\nconst A = 4u;\nfn f() {\n    const A = 1u;\n    return  a;\n}\n');
  expect(bare).toBe('struct Params { size: u32 }\nconst A = 4u;\nfn f() {\n const A = 1u;\n return a;\n}');
  expect(() => barer('/* no */')).toThrow(/line comments only/);
});

it('computes: fixtures of every family pass, and old and new PyTorch files are read', async () => {
  const gpu = await min.openGpu();
  const verdicts = [];
  for (const file of ['ops/conv2d_', 'ops/matmul', 'ops/batch', 'ops/max_pool', 'ops/cross', 'ops/softmax', 'optim/', 'ops/layer', 'ops/linear'].flatMap(firstTwo)) {
    const bytes = new Uint8Array(readFileSync(file));
    verdicts.push(await min.validateFixture(gpu, min.openWeights(min.bytesSource(bytes, file)), file));
  }
  expect(verdicts.filter(({ status }) => status !== 'pass')).toEqual([]);
  expect(verdicts.length).toBeGreaterThan(12);
  gpu.destroy();
  expect((await min.imagenetClasses()).length).toBe(1000);
  for (const [name, format] of [['state-dict.pth', 'pth'], ['dtypes-legacy.pth', 'pth-legacy']]) {
    const file = await min.openWeights(min.bytesSource(new Uint8Array(readFileSync(join('test/fixtures-weights', name))), name));
    expect([file.format, file.names.length > 0]).toEqual([format, true]);
  }
});

function firstTwo(prefix: string): string[] {
  const [dir, start] = prefix.split('/');
  return readdirSync(join('test/fixtures', dir)).filter((name) => name.startsWith(start) && name.endsWith('.safetensors')).slice(0, 2).map((name) => join('test/fixtures', dir, name));
}
