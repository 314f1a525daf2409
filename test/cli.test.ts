/** The graft command from outside: what it writes, what it says, and its exit status, for good input and bad. */
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { f32 } from '../src/hostTensor';
import { openGpu } from '../src/gpu/device';
import { saveModel } from '../src/node/modelDir';
import type { Metrics } from '../src/report/metrics';
import { randomClassifier } from '../src/transfer/classifier';
import { serializeSafetensors } from '../src/weights/safetensors';
import { Cli, ROOT, writeImages, type Finished } from './support/cli';

const LABELS = ['ärger im spiel', '猫', '🐈 & <b>'];
const NO_ADAPTER = { VK_DRIVER_FILES: '/nonexistent', VK_ICD_FILENAMES: '/nonexistent' };

let cli: Cli;
const at = (...parts: string[]): string => join(cli.folder, ...parts);
const fixture = (name: string): string => join(ROOT, 'test', name);

beforeAll(async () => {
  cli = await Cli.build();
  await writeImages(at('photos'), LABELS, 10);
  writeFileSync(at('photos', LABELS[0], 'broken.png'), 'this is no picture');
  writeFileSync(at('photos', LABELS[1], 'empty.jpg'), '');
  await writeImages(at('split', 'train'), ['a', 'b'], 8);
  await writeImages(at('split', 'test'), ['a', 'b'], 4, 100);
  const gpu = await openGpu();
  const model = randomClassifier(gpu, 'resnet18', ['x', 'y'], {
    width: 8, preprocessing: { resizeSize: 32, cropSize: 32, interpolation: 'bilinear', mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] },
  });
  await saveModel(model, at('tiny'));
  gpu.destroy();
});
afterAll(() => cli.remove());

const bytes = (path: string): Buffer => readFileSync(at(path));
const metrics = (path: string): Metrics => JSON.parse(readFileSync(at(path, 'metrics.json'), 'utf8')) as Metrics;

/** An error is one line, beginning with `graft: `, and nothing is written to stdout. */
function expectError(finished: Finished, status: number, message: RegExp): void {
  expect(finished.stderr).toMatch(message);
  expect(finished.stderr).toMatch(/^graft: [^\n]+\n$/);
  expect(finished).toMatchObject({ status, stdout: '' });
}

describe('graft', () => {
  beforeAll(async () => {
    writeFileSync(at('empty.pth'), '');
    writeFileSync(at('short.safetensors'), bytes('tiny/model.safetensors').subarray(0, 4000));
    writeFileSync(at('renamed.safetensors'), readFileSync(fixture('fixtures-weights/checkpoint.pth')));
    writeFileSync(at('hostile.pth'), readFileSync(fixture('fixtures-weights/hostile.pth')));
    mkdirSync(at('none'));
    await writeImages(at('single'), ['only'], 2);
    await writeImages(at('flat'), ['.'], 1);
    for (const label of ['p', 'q']) {
      mkdirSync(at('spoilt', label), { recursive: true });
      writeFileSync(at('spoilt', label, 'x.jpg'), 'no picture');
    }
  });

  it('prints help in groups and its version', async () => {
    const [bare, help, command, version] = await Promise.all([cli.run([]), cli.run(['--help']), cli.run(['finetune', '--help']), cli.run(['--version'])]);
    expect(bare).toEqual(help);
    expect(help).toMatchObject({ status: 0, stderr: '' });
    for (const text of ['Train and use:', 'Weights files:', 'Check:', 'Examples:', 'demo', 'finetune', 'predict', 'evaluate', 'fetch', 'inspect', 'convert', 'doctor', 'validate']) expect(help.stdout).toContain(text);
    for (const flag of ['--model', '--weights', '--plan', '--epochs', '--lr', '--augment', '--patience', '--seed', '--out', '--resume', '--force', '--no-cache', '--profile', '--gpu']) expect(command.stdout).toContain(flag);
    expect(version.stdout).toBe(`${(JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }).version}\n`);
    expect(help.stdout + command.stdout).not.toMatch(/\u001b/);
  });

  it.concurrent.each([
    [['finetun'], "unknown command 'finetun'. Did you mean 'finetune'?"],
    [['finetune', 'photos', '--epoch', '3'], "unknown option '--epoch'. Did you mean '--epochs'?"],
    [['finetune', 'photos', '--epochs', 'ten'], "--epochs takes a whole number of at least 1, got 'ten'"],
    [['finetune', 'photos', '--lr', '-1'], "--lr takes a number above 0, got '-1'"],
    [['finetune', 'photos', '--optimizer', 'adam'], "--optimizer does not know 'adam'. Did you mean 'adamw'?"],
    [['finetune', 'photos', '--schedule', 'cosin'], "no schedule is called 'cosin'. Did you mean 'cosine'?"],
    [['finetune', 'photos', '--augment', 'flop'], "--augment does not know 'flop'. Did you mean 'flip'?"],
    [['finetune', 'photos', '--momentum', '0.5'], '--momentum is for --optimizer sgd'],
    [['finetune', 'photos', '--precision', 'float1'], "--precision does not know 'float1'. Did you mean 'float16'?"],
    [['finetune', 'photos', '--model', 'resnet81'], "no model is called 'resnet81', and there is no such file or folder. Did you mean 'resnet18'?"],
    [['predict', 'resnet18'], "missing required argument 'image'"],
    [['fetch', 'resnet20'], "no published weights are named 'resnet20'. Did you mean"],
    [['fetch'], "'graft fetch --list' shows them all"],
    [['convert', 'tiny/model.safetensors', 'out.pth'], 'OUT must end in .safetensors'],
    [['convert', 'tiny/model.safetensors', 'tiny/model.safetensors'], 'IN and OUT are the same file'],
    [['convert', 'a.pth', 'o.safetensors', '--dtype', 'f61'], "--dtype does not know 'f61'. Did you mean 'f16'?"],
  ])('%j is wrong usage: status 2', async (args, message) => {
    const finished = await cli.run(args, { env: NO_ADAPTER });
    expect(finished.stderr).toContain(message);
    expectError(finished, 2, /./);
  });

  it.concurrent.each([
    [['inspect', 'tiny/modle.safetensors'], /Did you mean 'model\.safetensors'\?/],
    [['inspect', 'empty.pth'], /is empty \(0 bytes\)/],
    [['inspect', 'short.safetensors'], /truncated/],
    [['inspect', 'renamed.safetensors'], /is named \.safetensors but is a PyTorch checkpoint/],
    [['inspect', 'hostile.pth'], /hostile\.pth/],
    [['finetune', 'nowhere'], /image folder 'nowhere': does not exist/],
    [['finetune', 'none'], /holds no images/],
    [['finetune', 'single'], /has only one label, 'only'/],
    [['finetune', 'flat'], /holds 1 image but no label folders/],
    [['finetune', 'spoilt'], /none of its 2 images can be used/],
    [['finetune', 'photos', '--model', 'tiny'], /no WebGPU adapter was found.*graft doctor/],
    [['predict', 'tiny', 'nowhere.png'], /image 'nowhere\.png': there is no such file/],
    [['predict', 'none', 'flat/0.png'], /none is no model folder: there is no model\.json in it/],
    [['fetch', 'resnet18', '--from', 'http://127.0.0.1:9'], /cannot download .* put it at .*resnet18-f37072fd\.pth/],
    [['finetune', 'photos', '--weights', 'gone.pth'], /gone\.pth: there is no such file/],
  ])('%j is an error: status 1', async (args, message) => {
    // There is no adapter: what is wrong besides is found without one.
    expectError(await cli.run(args, { env: NO_ADAPTER }), 1, message);
  });

  it('prints where an error came from with --debug', async () => {
    const { stderr, status } = await cli.run(['inspect', 'nowhere.pth', '--debug']);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^graft: nowhere\.pth: [^\n]+\nWeightsError: [\s\S]+\n {4}at /);
  });

  it('is quiet when its reader leaves', async () => {
    const finished = await cli.run(['inspect', 'tiny'], { onOutput: (_, child) => child.stdout?.destroy() });
    expect(finished).toMatchObject({ status: 0, stderr: '' });
  });
});

describe('inspect and convert', () => {
  it('list what is in a file', async () => {
    const [text, json] = await Promise.all([cli.run(['inspect', 'tiny'], { env: NO_ADAPTER }), cli.run(['inspect', 'tiny/model.safetensors', '--json'])]);
    expect(text.stdout).toContain('resnet18 of width 8, 2 classes');
    expect(text.stdout).toMatch(/conv1\.weight +F32 +8 x 3 x 7 x 7 +1,176/);
    expect(JSON.parse(json.stdout)).toMatchObject({
      format: 'safetensors', architecture: { name: 'resnet18', width: 8, classes: 2 }, metadata: { format: 'pt' },
      tensors: expect.arrayContaining([{ name: 'fc.bias', dtype: 'F32', shape: [2], elements: 2, bytes: 8 }]) as unknown,
    });
  });

  it('convert PyTorch files, and half precision, and overwrite nothing unasked', async () => {
    const from = fixture('fixtures-weights/state-dict.pth');
    expect(await cli.run(['convert', from, 'made.safetensors'])).toMatchObject({ status: 0 });
    const before = bytes('made.safetensors');
    expectError(await cli.run(['convert', from, 'made.safetensors', '--dtype', 'f16']), 2, /made\.safetensors exists already; use --force/);
    expect(bytes('made.safetensors')).toEqual(before);
    expect(await cli.run(['convert', from, 'made.safetensors', '--dtype', 'f16', '--force'])).toMatchObject({ status: 0 });
    const told = JSON.parse((await cli.run(['inspect', 'made.safetensors', '--json'])).stdout) as { tensors: { dtype: string }[] };
    expect(told.tensors.some(({ dtype }) => dtype === 'F16') && !told.tensors.some(({ dtype }) => dtype === 'F32')).toBe(true);
    expectError(await cli.run(['convert', from, 'no/such/folder.safetensors']), 1, /there is no folder/);
  });
});

describe('finetune', () => {
  it('makes a model, metrics and a report of a folder with odd names and broken images; predict and evaluate use it', async () => {
    const run = await cli.run(['finetune', 'photos', '--model', 'tiny', '--epochs', '12', '--lr', '0.05']);
    expect(run.stderr).toBe('');
    expect(run.status).toBe(0);
    expect(run.stdout).toContain('Left out 2 unreadable images:');
    expect(run.stdout).toContain(`${LABELS[0]}/broken.png: `);
    expect(run.stdout).not.toMatch(/[\u001b\r]/);
    const out = 'runs/photos-head';
    expect(readdirSync(at(out)).sort()).toEqual(['checkpoint.safetensors', 'metrics.json', 'model.json', 'model.safetensors', 'report.html']);
    const told = metrics(out);
    expect(told.data).toMatchObject({ name: 'photos', classes: LABELS, train: 24, validation: 6 });
    expect(told.validation?.accuracy).toBeGreaterThan(0.8);
    expect(told.features).toEqual({ computed: 30, reused: 0 });
    expect(told.data.skipped).toHaveLength(2);
    expect(run.stdout).toContain(`Validation accuracy ${told.validation?.accuracy === 1 ? '100 %' : ''}`);
    const report = readFileSync(at(out, 'report.html'), 'utf8');
    expect(report).toContain('🐈 &amp; &lt;b&gt;');
    expect(JSON.parse(readFileSync(at(out, 'model.json'), 'utf8'))).toMatchObject({ classes: LABELS, base: 'tiny', training: { bestEpoch: told.bestEpoch } });

    const images = [`photos/${LABELS[1]}/3.png`, `photos/${LABELS[0]}/broken.png`, `photos/${LABELS[2]}`];
    const predicted = await cli.run(['predict', out, ...images, '--json', '-k', '2']);
    expect(predicted.status).toBe(1); // one image cannot be read; the others are there all the same
    expect(predicted.stderr).toContain('broken.png: ');
    const { predictions, failed } = JSON.parse(predicted.stdout) as { predictions: { path: string; top: { class: string; probability: number }[] }[]; failed: unknown[] };
    expect([predictions.length, failed.length]).toEqual([11, 1]);
    expect(predictions[0].path).toBe(images[0]);
    expect(predictions[0].top).toHaveLength(2);
    expect(predictions.filter(({ path, top }) => path.includes(top[0].class)).length).toBeGreaterThan(8);

    const evaluated = await cli.run(['evaluate', out, 'photos', '--json']);
    expect(evaluated.status).toBe(0);
    const { images: judged, accuracy } = JSON.parse(evaluated.stdout) as { images: number; accuracy: number };
    expect(judged).toBe(30);
    expect(accuracy).toBeGreaterThan(0.8);
    expectError(await cli.run(['evaluate', out, 'split']), 1, /has no class 'a'/);

    // Again: features were kept, and the first run's folder is left alone.
    const again = await cli.run(['finetune', 'photos', '--model', 'tiny', '--epochs', '1']);
    expect(again.stdout).toContain('runs/photos-head-2');
    expect(metrics('runs/photos-head-2').features).toEqual({ computed: 0, reused: 30 });
    expect(metrics(out)).toEqual(told);
  });

  it('judges on a test part, trains more than the head, and takes every option', async () => {
    const run = await cli.run([
      'finetune', 'split', '--model', 'tiny', '--plan', 'layer4', '--epochs', '3', '--batch-size', '5', '--optimizer', 'sgd', '--lr', '0.02', '--momentum', '0.8',
      '--nesterov', '--weight-decay', '0.001', '--schedule', 'onecycle', '--label-smoothing', '0.1', '--clip', '1', '--bn', 'update', '--augment', 'flip,color',
      '--patience', '0', '--seed', '3', '--validation-fraction', '0.25', '--no-cache', '--workers', '1', '--out', 'mine',
    ]);
    expect(run).toMatchObject({ status: 0, stderr: '' });
    expect(run.stdout).toMatch(/Test accuracy [\d.]+ % of 8 images\./);
    const told = metrics('mine');
    expect(told.recipe).toMatchObject({
      plan: 'layer4', epochs: 3, batchSize: 5, optimizer: { name: 'sgd', lr: 0.02, momentum: 0.8, nesterov: true, weightDecay: 0.001 }, schedule: 'onecycle',
      labelSmoothing: 0.1, clipNorm: 1, bn: 'update', augment: { horizontalFlip: 0.5, colorJitter: { brightness: 0.3 } }, patience: 0, seed: 3,
    });
    expect([told.data.train, told.data.validation, told.test?.images, told.history.length]).toEqual([12, 4, 8, 3]);
  });

  it('keeps what is not trained in float16, and says so; without the feature it says which', async () => {
    const gpu = await openGpu();
    const able = gpu.device.features.has('shader-f16');
    gpu.destroy();
    const run = await cli.run(['finetune', 'split', '--model', 'tiny', '--epochs', '2', '--precision', 'float16', '--out', 'half']);
    if (!able) return expectError(run, 1, /precision 'float16' needs the adapter's shader-f16 feature/);
    expect(run).toMatchObject({ status: 0, stderr: '' });
    expect(run.stdout).toMatch(/plan .*in float16/);
    expect(metrics('half').recipe.precision).toBe('float16');
    expect(JSON.parse(readFileSync(at('half', 'model.json'), 'utf8'))).toMatchObject({ training: { recipe: { precision: 'float16' } } });
    expect(readFileSync(at('half', 'report.html'), 'utf8')).toContain('float16 for what is not trained');
    expect(statSync(at('half', 'model.safetensors')).size).toBeLessThan(0.65 * statSync(at('tiny', 'model.safetensors')).size);
    const [full, half] = await Promise.all([[], ['--precision', 'float16']].map((flags) => cli.run(['evaluate', 'half', 'split', '--json', ...flags])));
    expect([full.status, half.status]).toEqual([0, 0]);
    const [a, b] = [full, half].map(({ stdout }) => (JSON.parse(stdout) as { loss: number }).loss);
    expect(Math.abs(a - b)).toBeLessThan(0.01);
    expect(b).not.toBe(a);
  });

  it.each([
    [['--plan', 'layr4'], 2, /no plan or layer is called 'layr4'. Did you mean 'layer4'\?/],
    [['--plan', 'layer3.7'], 2, /no plan or layer is called 'layer3\.7'/],
    [['--out', 'photos'], 2, /photos is not empty and holds no model of Graft's/],
    [['--out', 'tiny'], 2, /tiny holds a model already; use --resume to go on with it, --force to replace it/],
    [['--out', 'tiny/model.json/below'], 1, /cannot use .* as an output folder: it is a file/],
    [['--out', '/proc/graft'], 1, /cannot make folder/],
    [['--model', 'resnet34', '--weights', 'tiny/model.safetensors'], 1, /holds a resnet18, not a resnet34/],
    [['--model', 'nan.safetensors'], 1, /1 tensors hold NaN or infinite values \(bn1\.weight\)/],
    [['--model', 'other.safetensors'], 1, /it has no 'conv1\.weight', so it is not a ResNet/],
  ])('%j: status %i, and nothing is written', async (flags, status, message) => {
    if (flags[1] === 'nan.safetensors') {
      const gpu = await openGpu();
      const state = await randomClassifier(gpu, 'resnet18', ['x', 'y'], { width: 8 }).network.stateDict();
      state.set('bn1.weight', f32([8], new Float32Array(8).fill(NaN)));
      writeFileSync(at('nan.safetensors'), serializeSafetensors(state));
      gpu.destroy();
    }
    writeFileSync(at('other.safetensors'), serializeSafetensors({ w: f32([1], Float32Array.of(1)) }));
    const before = readdirSync(cli.folder, { recursive: true }).map(String).filter((name) => !name.startsWith('cache')).sort();
    const model = flags.includes('--model') ? [] : ['--model', 'tiny'];
    expectError(await cli.run(['finetune', 'split', ...model, ...flags]), status, message);
    expect(readdirSync(cli.folder, { recursive: true }).map(String).filter((name) => !name.startsWith('cache')).sort()).toEqual(before);
  });

  it('stops at a loss that is not finite, says at which step, and keeps the best epoch or what was there', async () => {
    const args = ['finetune', 'split', '--model', 'tiny', '--optimizer', 'sgd', '--lr', '1e30', '--plan', 'layer4', '--epochs', '4', '--schedule', 'constant'];
    const kept = bytes('tiny/model.safetensors');
    const first = await cli.run([...args, '--batch-size', '4', '--out', 'diverged']);
    expect(first.status).toBe(1);
    expect(first.stderr).toMatch(/graft: .*step \d+.*no epoch was finished/s);
    expect(existsSync(at('diverged', 'model.safetensors'))).toBe(false);
    expect(bytes('tiny/model.safetensors')).toEqual(kept);
    // One step an epoch: the first epoch ends before the second step finds out.
    const later = await cli.run(['finetune', 'split', '--model', 'tiny', '--lr', '1e30', '--epochs', '9', '--batch-size', '64', '--validation-fraction', '0', '--out', 'later']);
    expect(later.status).toBe(1);
    expect(later.stderr).toMatch(/graft: .*step \d+/);
    expect(metrics('later')).toMatchObject({ ended: 'diverged', bestEpoch: expect.any(Number) as number });
    expect(existsSync(at('later', 'model.safetensors'))).toBe(true);
    expect(readFileSync(at('later', 'report.html'), 'utf8')).toContain('Training diverged.');
  });
});

describe('a run that is broken off', () => {
  const args = ['finetune', 'split', '--model', 'tiny', '--plan', 'layer4', '--epochs', '8', '--batch-size', '4', '--patience', '0', '--augment', 'flip', '--seed', '4'];
  /** Makes the command do something when it uploads its n-th batch of so many images. Image workers have no device. */
  const whenUploaded = (images: number, n: number, action: string, name = 'action'): Record<string, string> => {
    const path = at(`hook-${images}-${n}-${name}.mjs`);
    writeFileSync(path, `
      import { rmSync, writeFileSync } from 'node:fs';
      import { isMainThread } from 'node:worker_threads';
      if (isMainThread) {
        const { globals } = await import(${JSON.stringify(pathToFileURL(join(ROOT, 'node_modules/webgpu/index.js')).href)});
        const { prototype } = globals.GPUAdapter;
        const { requestDevice } = prototype;
        let batches = 0;
        prototype.requestDevice = async function (...args) {
          const device = await requestDevice.apply(this, args);
          const writeBuffer = device.queue.writeBuffer.bind(device.queue);
          device.queue.writeBuffer = (...write) => {
            writeBuffer(...write);
            if (write.at(-1) === ${images} * 32 * 32 * 3 * 4 && ++batches === ${n}) ${action};
          };
          return device;
        };
      }
    `);
    return { NODE_OPTIONS: `--import=${pathToFileURL(path).href}` };
  };
  /** Gets a signal in its third epoch, of four batches: from itself, for one from here would come when it comes. */
  const broken = (out: string, signal: NodeJS.Signals): Promise<Finished> =>
    cli.run([...args, '--out', out], { env: whenUploaded(4, 11, `process.kill(process.pid, "${signal}")`, signal) });
  beforeAll(async () => {
    expect(await cli.run([...args, '--out', 'unbroken'])).toMatchObject({ status: 0 });
  });

  it('by Ctrl-C keeps the best model, ends with 130, and goes on to the same bits', async () => {
    const stopped = await broken('interrupted', 'SIGINT');
    expect(stopped).toMatchObject({ status: 130, stderr: '' });
    expect(stopped.stdout).toMatch(/Interrupted after \d+ of 8 epochs/);
    expect(stopped.stdout).toContain('the same command with --resume');
    const half = metrics('interrupted');
    expect(half.ended).toBe('interrupted');
    expect(half.history.length).toBeLessThan(8);
    expect(await cli.run(['inspect', 'interrupted'])).toMatchObject({ status: 0 });
    expect(bytes('interrupted/model.safetensors').equals(bytes('unbroken/model.safetensors'))).toBe(false);

    const wrong = await cli.run([...args, '--out', 'interrupted', '--resume', '--lr', '0.5']);
    expect(wrong).toMatchObject({ status: 2 });
    expect(wrong.stderr).toMatch(/resume: the checkpoint was made with optimizer/);
    const resumed = await cli.run([...args, '--out', 'interrupted', '--resume']);
    expect(resumed).toMatchObject({ status: 0, stderr: '' });
    expect(resumed.stdout).toMatch(/Going on after (\d+ steps? of )?epoch \d+\./);
    expect(bytes('interrupted/model.safetensors').equals(bytes('unbroken/model.safetensors'))).toBe(true);
    expect(metrics('interrupted').history.map(({ trainLoss }) => trainLoss)).toEqual(metrics('unbroken').history.map(({ trainLoss }) => trainLoss));
  });

  it('by Ctrl-C in its first epoch keeps what was done of it', async () => {
    const long = [...args, '--epochs', '1', '--batch-size', '1', '--out', 'first epoch'];
    const stopped = await cli.run(long, { env: whenUploaded(1, 4, 'process.kill(process.pid, "SIGINT")') });
    expect(stopped.status).toBe(130);
    expect(stopped.stderr).toMatch(/interrupted before the first epoch was done; no epoch was finished, so there is no model to keep; to go on: the same command with --resume/);
    expect(readdirSync(at('first epoch'))).toEqual(['checkpoint.safetensors']);
    const resumed = await cli.run([...long, '--resume']);
    expect(resumed).toMatchObject({ status: 0, stderr: '' });
    expect(resumed.stdout).toMatch(/Going on after \d+ steps? of epoch 1\./);
  });

  it('by SIGKILL leaves whole files, and goes on to the same bits', async () => {
    expect(await broken('killed', 'SIGKILL')).toMatchObject({ status: null, signal: 'SIGKILL' });
    expect(readdirSync(at('killed')).filter((name) => !name.startsWith('.'))).toEqual(['checkpoint.safetensors']);
    expect(await cli.run(['inspect', 'killed/checkpoint.safetensors', '--json'])).toMatchObject({ status: 0 });
    expectError(await cli.run([...args, '--out', 'killed']), 2, /holds an unfinished run already/);
    expect(await cli.run([...args, '--out', 'killed', '--resume'])).toMatchObject({ status: 0 });
    expect(bytes('killed/model.safetensors').equals(bytes('unbroken/model.safetensors'))).toBe(true);
  });

  it('by a device that is lost goes on by itself, to the same bits', async () => {
    const finished = await cli.run([...args, '--out', 'lost'], { env: whenUploaded(4, 14, 'device.destroy()') });
    expect(finished.stderr).toMatch(/^graft: note: The GPU device was lost \(destroyed\): .*; going on after epoch \d+, on .*\.\n$/);
    expect(finished.status).toBe(0);
    expect(bytes('lost/model.safetensors').equals(bytes('unbroken/model.safetensors'))).toBe(true);
    expect(metrics('lost').history.map(({ epoch, trainLoss }) => [epoch, trainLoss])).toEqual(metrics('unbroken').history.map(({ epoch, trainLoss }) => [epoch, trainLoss]));
  });

  it('by a disk that takes nothing more goes on, and saves the model elsewhere', async () => {
    const spoil = "(rmSync('full disk', { recursive: true }), writeFileSync('full disk', 'a file where the folder was'))";
    const finished = await cli.run([...args, '--out', 'full disk'], { env: { TMPDIR: cli.folder, TEMP: cli.folder, ...whenUploaded(4, 7, spoil, 'spoil') } });
    expect(finished.status).toBe(1);
    expect(finished.stderr).toMatch(/graft: note: the run cannot be resumed from here on: cannot write/);
    const [, rescued] = /the model and its report were saved to (\S+) instead\.\n$/.exec(finished.stderr) ?? [];
    expect(readFileSync(join(rescued, 'model.safetensors')).equals(bytes('unbroken/model.safetensors'))).toBe(true);
    expect(readdirSync(rescued).sort()).toEqual(['metrics.json', 'model.json', 'model.safetensors', 'report.html']);
  });

  it('by a damaged checkpoint says so and loses nothing', async () => {
    const whole = bytes('unbroken/model.safetensors');
    truncateSync(at('unbroken', 'checkpoint.safetensors'), 3000);
    const finished = await cli.run([...args, '--out', 'unbroken', '--resume']);
    expect(finished.status).toBe(1);
    expect(finished.stderr).toMatch(/^graft: .*checkpoint.*(truncated|damaged)[^\n]*\n$/);
    expect(bytes('unbroken/model.safetensors').equals(whole)).toBe(true);
  });
});

describe('demo, validate', () => {
  it('demo puts fine-tuning beside training from scratch', async () => {
    const run = await cli.run(['demo', '--model', 'tiny', '--data', 'split', '--epochs', '2', '--out', 'shown']);
    expect(run).toMatchObject({ status: 0, stderr: '' });
    expect(run.stdout).toMatch(/fine-tuned .* %[\s\S]*from scratch .* %/);
    expect(metrics('shown').comparison).toMatchObject({ name: 'from scratch', recipe: { plan: 'full', epochs: 2 } });
    expect(readFileSync(at('shown', 'report.html'), 'utf8')).toContain('Fine-tuned beside from scratch');
    rmSync(at('shown'), { recursive: true });
  });

  it('validate gives a verdict a fixture and says by its status how it went', async () => {
    const folder = fixture('fixtures/optim');
    const [pass, missing] = [await cli.run(['validate', folder, '--json']), await cli.run(['validate', 'nowhere.safetensors'])];
    expect(pass.status).toBe(0);
    const { verdicts } = JSON.parse(pass.stdout) as { verdicts: { status: string }[] };
    expect(verdicts.length).toBe(readdirSync(folder).filter((name) => name.endsWith('.safetensors')).length);
    expect(missing.status).toBe(2);
    expect(missing.stdout).toContain('1 could not be run');
  });
});
