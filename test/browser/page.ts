/** What the browser test runs in the page: the validator on fetched fixtures, and a short fine-tuning on drawn images. */
import * as graft from '../../src/index';
import { backward } from '../../src/autograd/backward';
import { noGrad } from '../../src/autograd/op';
import { crossEntropy } from '../../src/autograd/ops/loss';
import { openGpu } from '../../src/gpu/device';
import type { AdapterFacts, Gpu } from '../../src/gpu/gpu';
import { createModel } from '../../src/models/resnet';
import { Optimizer } from '../../src/optim/optimizer';
import { Random } from '../../src/random';
import { Tensor, scope } from '../../src/tensor';
import { validateFixture } from '../../src/validate/validate';
import type { Verdict } from '../../src/validate/verdict';
import { blobSource } from '../../src/weights/byteSource';
import { openWeights } from '../../src/weights/open';

export interface FineTuning {
  readonly losses: number[];
  /** On the first batch, in evaluation mode. */
  readonly accuracy: number;
  /** Bytes that were live after the last step and not after the second. */
  readonly growth: number;
}

export interface Transfer {
  readonly classes: readonly string[];
  readonly images: { readonly train: number; readonly validation: number };
  /** On `test/…` of the paths. */
  readonly accuracy: number;
  readonly features: { readonly computed: number; readonly reused: number } | null;
}

export interface TestPage {
  /** The public API on images of the sample, as a file input would hand them over. */
  transfer(paths: readonly string[]): Promise<Transfer>;
  /** What `load` says of an address. */
  loadError(url: string): Promise<string>;
  adapter(): Promise<AdapterFacts>;
  validate(names: readonly string[]): Promise<Verdict[]>;
  fineTune(steps: number): Promise<FineTuning>;
}

let opened: Promise<Gpu> | undefined;
const gpuOfPage = (): Promise<Gpu> => (opened ??= openGpu());

async function validate(names: readonly string[]): Promise<Verdict[]> {
  const gpu = await gpuOfPage();
  const verdicts: Verdict[] = [];
  for (const name of names) {
    const response = await fetch(`/test/fixtures/${name}`);
    const file = response.ok ? openWeights(blobSource(await response.blob(), name)) : Promise.reject(new Error(`${response.status} for ${name}`));
    verdicts.push(await validateFixture(gpu, file, name));
  }
  return verdicts;
}

const SIZE = 32;
const SHAPES = ['disc', 'square', 'cross'] as const;

/** An image of class `label`, of a colour and place that depend on `variant` alone, normalised, [SIZE, SIZE, 3]. */
function draw(label: number, variant: number): Float32Array {
  const random = new Random(variant);
  const canvas = new OffscreenCanvas(SIZE, SIZE);
  const context = canvas.getContext('2d');
  if (!context) throw new Error('no canvas');
  context.fillStyle = `hsl(${random.int(360)} 30% 25%)`;
  context.fillRect(0, 0, SIZE, SIZE);
  context.fillStyle = `hsl(${random.int(360)} 80% 70%)`;
  context.translate(11 + random.int(10), 11 + random.int(10));
  context.beginPath();
  if (SHAPES[label] === 'disc') context.arc(0, 0, 8, 0, 2 * Math.PI);
  else if (SHAPES[label] === 'square') context.rect(-8, -8, 16, 16);
  else {
    context.rect(-9, -2, 18, 4);
    context.rect(-2, -9, 4, 18);
  }
  context.fill();
  const { data } = context.getImageData(0, 0, SIZE, SIZE);
  return Float32Array.from({ length: SIZE * SIZE * 3 }, (_, i) => data[4 * Math.floor(i / 3) + (i % 3)] / 128 - 1);
}

async function fineTune(steps: number): Promise<FineTuning> {
  const gpu = await gpuOfPage();
  const [batch, stride] = [12, SIZE * SIZE * 3];
  const batchOf = (first: number): { x: Tensor; labels: Tensor } => {
    const pixels = new Float32Array(batch * stride);
    const classes = Int32Array.from({ length: batch }, (_, i) => i % SHAPES.length);
    classes.forEach((label, i) => pixels.set(draw(label, first + i), i * stride));
    return { x: Tensor.fromArray(gpu, [batch, SIZE, SIZE, 3], pixels), labels: Tensor.fromArray(gpu, [batch], classes) };
  };
  const model = createModel(gpu, 'resnet18', { width: 4, numClasses: SHAPES.length, seed: 1 });
  const optimizer = new Optimizer(model.namedParameters(), { name: 'adamw', lr: 3e-3 });
  const losses: number[] = [];
  let live = 0;
  for (let i = 0; i < steps; i++) {
    const loss = scope(gpu, () => {
      const { x, labels } = batchOf(batch * (i % 5));
      const value = crossEntropy(model.forward(x), labels);
      backward(value);
      optimizer.step();
      optimizer.zeroGrad();
      return value;
    });
    losses.push((await loss.toArray())[0]);
    loss.dispose();
    if (i === 1) live = gpu.memory().liveBytes;
  }
  const growth = gpu.memory().liveBytes - live;
  model.eval();
  const logits = scope(gpu, () => noGrad(() => model.forward(batchOf(0).x)));
  const values = await logits.toArray();
  let right = 0;
  for (let i = 0; i < batch; i++) {
    const row = Array.from(values.slice(i * SHAPES.length, (i + 1) * SHAPES.length));
    if (row.indexOf(Math.max(...row)) === i % SHAPES.length) right++;
  }
  return { losses, accuracy: right / batch, growth };
}

/** A file that knows its path from the chosen folder, as those of `<input webkitdirectory>` do. */
async function chosenFile(path: string): Promise<File> {
  const response = await fetch(`/sample/${path}`);
  const file = new File([await response.blob()], path.split('/').at(-1) ?? path);
  Object.defineProperty(file, 'webkitRelativePath', { value: `sample/${path}` });
  return file;
}

async function transfer(paths: readonly string[]): Promise<Transfer> {
  const data = await graft.imageFolder(await Promise.all(paths.map(chosenFile)));
  const model = await graft.load('/weights/base/', { gpu: await gpuOfPage() });
  const { features, images } = await graft.fineTune(model, data, { plan: 'head', epochs: 15 });
  if (!data.test) throw new Error('the paths hold no test images');
  const { accuracy } = await graft.evaluate(model, data.test);
  model.dispose();
  return { classes: data.classes, images, accuracy, features };
}

async function loadError(url: string): Promise<string> {
  return graft.load(url, { gpu: await gpuOfPage() }).then(() => '', (error: Error) => error.message);
}

const page: TestPage = { adapter: async () => (await gpuOfPage()).adapter, validate, fineTune, transfer, loadError };
Object.assign(window, { graftTest: page });
