/** What npm packs, installed into an empty project: plain Node, types for every resolver, a vite app for browsers. */
import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { build } from 'vite';
import { finishTypes } from '../scripts/finishTypes.mjs';
import { ROOT, writeImages } from './support/cli';

const NO_ADAPTER = { VK_DRIVER_FILES: '/nonexistent', VK_ICD_FILENAMES: '/nonexistent' };

let folder = '';
let project = '';
let tarball = '';

function run(program: string, args: readonly string[], cwd: string, env: Readonly<Record<string, string>> = {}): Promise<{ status: number; output: string }> {
  return new Promise((done) => {
    execFile(program, args, { cwd, env: { ...process.env, ...env }, timeout: 110_000, maxBuffer: 1 << 26, shell: program === 'npm' && process.platform === 'win32' }, (error, stdout, stderr) => {
      done({ status: error === null ? 0 : 1, output: stdout + stderr });
    });
  });
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'graft-package-'));
  const stage = join(folder, 'stage');
  mkdirSync(stage);
  const { files } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { files: string[] };
  for (const name of ['package.json', ...files.filter((name) => name !== 'dist')]) {
    if (existsSync(join(ROOT, name))) cpSync(join(ROOT, name), join(stage, name), { recursive: true });
  }
  await build({ root: ROOT, logLevel: 'error', build: { outDir: join(stage, 'dist'), emptyOutDir: true } });
  const types = join(stage, 'dist', 'types');
  // Type errors of our own are another check's business.
  await run(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json', '--noEmitOnError', 'false', '--outDir', types], ROOT);
  finishTypes(types);
  const packed = await run('npm', ['pack', '--json', '--ignore-scripts', '--loglevel', 'silent', '--pack-destination', folder], stage);
  expect(packed.status, packed.output).toBe(0);
  tarball = join(folder, readdirSync(folder).find((name) => name.endsWith('.tgz')) ?? 'none');

  // Its dependencies are those installed here, so that no network is needed.
  project = join(folder, 'project');
  mkdirSync(project);
  const here = (name: string): [string, string] => [name, `file:${join(ROOT, 'node_modules', name)}`];
  writeFileSync(join(project, 'package.json'), JSON.stringify({
    name: 'project', private: true, type: 'module', dependencies: { 'graft-gpu': `file:${tarball}` },
    overrides: Object.fromEntries(['commander', 'sharp', 'webgpu'].map(here)),
  }));
  const installed = await run('npm', ['install', '--offline', '--ignore-scripts', '--no-audit', '--no-fund'], project);
  expect(installed.status, installed.output).toBe(0);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const script = (name: string, text: string): string => {
  writeFileSync(join(project, name), text);
  return name;
};

describe('the package', () => {
  it('holds what it needs, names no path of this machine, and stays small', () => {
    const inside = join(project, 'node_modules', 'graft-gpu');
    for (const name of ['dist/index.js', 'dist/node.js', 'dist/cli.js', 'dist/imageWorker.js', 'dist/types/index.d.ts', 'weights/manifest.json', 'LICENSE']) {
      expect(existsSync(join(inside, name)), name).toBe(true);
    }
    for (const entry of readdirSync(join(inside, 'dist'), { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) expect(readFileSync(join(entry.parentPath ?? entry.path, entry.name), 'utf8').includes(ROOT), entry.name).toBe(false);
    }
    expect(statSync(tarball).size).toBeLessThan(12 << 20);
  });

  it('is imported in plain Node without a GPU, and says so only when one is asked for', async () => {
    const name = script('plain.mjs', `
      import { openGpu, load, fineTune, imageFolder, ARCHITECTURES, resize } from 'graft-gpu';
      console.log(typeof fineTune, typeof imageFolder, typeof load, typeof resize, Object.keys(ARCHITECTURES).length);
      await openGpu().catch((error) => console.log(error.name));
      process.exit(0);`);
    const { status, output } = await run(process.execPath, [name], project, NO_ADAPTER);
    expect(status, output).toBe(0);
    expect(output).toContain('function function function function 7');
    expect(output).toContain('DeviceError');
  });

  it('ends by itself when nothing was opened', async () => {
    const { status } = await run(process.execPath, [script('idle.mjs', "import 'graft-gpu';")], project);
    expect(status).toBe(0);
  });

  it('fine-tunes and predicts from a script, decoding in its own worker threads', async () => {
    await writeImages(join(project, 'photos'), ['a', 'b'], 6);
    const name = script('tune.mjs', `
      import { diskFeatureStore, fineTune, imageFolder, load, openGpu, predictFiles, randomClassifier, saveModel } from 'graft-gpu';
      const photos = await imageFolder('photos');
      const preprocessing = { resizeSize: 32, cropSize: 32, interpolation: 'bilinear', mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] };
      const model = randomClassifier(await openGpu(), 'resnet18', photos.classes, { width: 8, preprocessing });
      const { validation, bestEpoch } = await fineTune(model, photos, { epochs: 3, features: diskFeatureStore('features') });
      await saveModel(model, 'my-model');
      const again = await load('my-model');
      for await (const { path, top } of predictFiles(again, ['photos/a/0.png'], { topK: 1 })) console.log(path, top.length, validation.count, bestEpoch > 0);
      process.exit(0);`);
    const { status, output } = await run(process.execPath, [name], project);
    expect(status, output).toBe(0);
    expect(output).toContain('photos/a/0.png 1 2 true');
    expect(existsSync(join(project, 'my-model', 'model.safetensors'))).toBe(true);
  });

  it('brings the graft command', async () => {
    const command = join(project, 'node_modules', '.bin', process.platform === 'win32' ? 'graft.cmd' : 'graft');
    const { status, output } = await run(command, ['inspect', 'my-model'], project);
    expect(status, output).toBe(0);
    expect(output).toContain('resnet18');
  });

  it.each([['nodenext', 'nodenext'], ['esnext', 'bundler']])('has types with module %s', async (module, resolution) => {
    const name = script('typed.ts', `
      import { fineTune, imageFolder, load, predictFiles, saveModel, type FineTuneResult } from 'graft-gpu';
      const photos = await imageFolder('x');
      const model = await load('resnet18', { classes: photos.classes });
      const result: FineTuneResult = await fineTune(model, photos, { plan: 'head', onProgress: (event) => event.kind === 'epoch' && event.record.lr });
      // @ts-expect-error a plan is a string
      await fineTune(model, photos, { plan: 3 });
      // @ts-expect-error and there is no such epoch
      result.worstEpoch;
      await saveModel(model, 'm');
      for await (const { path, top } of predictFiles(model, ['x.png'])) { const told: [string, number] = [path, top[0].probability]; void told; }`);
    const { status, output } = await run(process.execPath, [
      join(ROOT, 'node_modules/typescript/bin/tsc'), '--noEmit', '--strict', '--target', 'es2022', '--skipLibCheck', '--module', module, '--moduleResolution', resolution, '--customConditions', 'node', name,
    ], project);
    expect(status, output).toBe(0);
  });

  it('builds into a vite app without a module of Node', async () => {
    const app = join(project, 'app');
    mkdirSync(app);
    writeFileSync(join(app, 'index.html'), '<script type="module" src="./main.js"></script>');
    writeFileSync(join(app, 'main.js'), `
      import { fineTune, fromFiles, openGpu, openWeights, blobSource, classifierFrom } from 'graft-gpu';
      document.title = [fineTune, fromFiles, openGpu, openWeights, blobSource, classifierFrom].map((f) => typeof f).join();`);
    const warnings: string[] = [];
    await build({
      root: app, configFile: false, logLevel: 'silent', customLogger: {
        ...quiet, warn: (text) => warnings.push(text), warnOnce: (text) => warnings.push(text), error: (text) => warnings.push(text),
      },
    });
    expect(warnings).toEqual([]);
    const made = readdirSync(join(app, 'dist', 'assets')).map((name) => readFileSync(join(app, 'dist', 'assets', name), 'utf8')).join('\n');
    expect(made.length).toBeGreaterThan(50_000);
    expect(made).toContain('@compute');
    expect(made).not.toMatch(/__vite-browser-external|from\s*["']node:|require\(["'](node:)?(fs|path|os)["']\)|["']sharp["']/);
  });
});

const quiet = { info: () => undefined, clearScreen: () => undefined, hasErrorLogged: () => false, hasWarned: false };
