/**
 * Trains the base that ships: a ResNet-18 of reduced width on the glyph classes of scripts/glyphs/makeBase.mjs.
 *
 *   npm ci --prefix scripts/glyphs && node scripts/glyphs/makeBase.mjs && npm run build
 *   node scripts/trainBase.mjs [--width 24] [--epochs 5] [--batch 128] [--lr 4e-3] [--steps N] [--out weights/base]
 *
 * Writes model.safetensors (f16), model.json and training.log. The same seed on the same adapter gives the same bits.
 */
import { createHash } from 'node:crypto';
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import {
  Optimizer, ResNet, Tensor, backward, crossEntropy, noGrad, oneCycleRate, openGpu, scope, serializeSafetensors, shuffle,
  trainReport, writeFileAtomic,
} from '../dist/node.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const { values } = parseArgs({
  options: {
    width: { type: 'string', default: '24' },
    epochs: { type: 'string', default: '5' },
    batch: { type: 'string', default: '128' },
    lr: { type: 'string', default: '4e-3' },
    seed: { type: 'string', default: '1' },
    steps: { type: 'string' },
    data: { type: 'string', default: join(root, '.cache/glyphs-base') },
    out: { type: 'string', default: join(root, 'weights/base') },
  },
});
const [width, epochs, batch, lr, seed] = [values.width, values.epochs, values.batch, values.lr, values.seed].map(Number);
const WEIGHT_DECAY = 0.05;
const LABEL_SMOOTHING = 0.1;
const MEAN = 0.5;
const STD = 0.25;

mkdirSync(values.out, { recursive: true });
const logFile = join(values.out, 'training.log');
writeFileSync(logFile, '');
function log(line) {
  console.log(line);
  appendFileSync(logFile, `${line}\n`);
}

/** One split of the glyph set, in memory. */
function readSplit(manifest, name) {
  const { images, labels, count, imagesSha256 } = manifest[name];
  const pixels = readFileSync(join(values.data, images));
  const digest = createHash('sha256').update(pixels).digest('hex');
  if (digest !== imagesSha256) throw new Error(`${images}: sha256 ${digest} is not the manifest's ${imagesSha256}; run makeBase.mjs again`);
  const bytes = readFileSync(join(values.data, labels));
  return { pixels, labels: Int32Array.from({ length: count }, (_, i) => bytes.readUInt16LE(2 * i)), count };
}

const manifest = JSON.parse(readFileSync(join(values.data, 'manifest.json'), 'utf8'));
const [height, wide, channels] = manifest.shape ?? [64, 64, 3];
const imageSize = height * wide * channels;
const train = readSplit(manifest, 'train');
const validation = readSplit(manifest, 'validation');

const gpu = await openGpu();
const model = new ResNet(gpu, 'resnet18', { numClasses: manifest.classes.length, width, seed });
const steps = Number(values.steps ?? epochs * Math.floor(train.count / batch));
const perEpoch = Math.floor(train.count / batch);
const optimizer = new Optimizer(model.namedParameters(), { name: 'adamw', lr, weightDecay: WEIGHT_DECAY });
log(`adapter      ${gpu.adapter.description}`);
log(`network      resnet18, width ${width}, ${trainReport(model).trainable.elements} parameters, ${manifest.classes.length} classes`);
log(`data         ${train.count} training images (sha256 ${manifest.train.imagesSha256.slice(0, 16)}), ${validation.count} for validation from other fonts`);
log(`recipe       AdamW, weight decay ${WEIGHT_DECAY}, one-cycle to ${lr} over ${steps} steps of ${batch}, label smoothing ${LABEL_SMOOTHING}, seed ${seed}`);

/** Uploads images `indices` of a split, normalised, [n, H, W, 3]. */
function upload(split, indices) {
  const data = new Float32Array(indices.length * imageSize);
  indices.forEach((index, i) => {
    const start = index * imageSize;
    for (let k = 0; k < imageSize; k++) data[i * imageSize + k] = (split.pixels[start + k] / 255 - MEAN) / STD;
  });
  return {
    x: Tensor.fromArray(gpu, [indices.length, height, wide, channels], data),
    target: Tensor.fromArray(gpu, [indices.length], Int32Array.from(indices, (index) => split.labels[index])),
  };
}

async function accuracy(count) {
  model.eval();
  let hits = 0;
  for (let start = 0; start < count; start += batch) {
    const indices = Array.from({ length: Math.min(batch, count - start) }, (_, i) => start + i);
    const logits = scope(gpu, () => noGrad(() => model.forward(upload(validation, indices).x)));
    const values = await logits.toArray();
    logits.dispose();
    const classes = manifest.classes.length;
    indices.forEach((index, i) => {
      const row = values.subarray(i * classes, (i + 1) * classes);
      if (row.indexOf(row.reduce((a, b) => Math.max(a, b))) === validation.labels[index]) hits++;
    });
  }
  model.train();
  return hits / count;
}

const began = performance.now();
let order = [];
let sum = 0;
let counted = 0;
for (let step = 0; step < steps; step++) {
  if (step % perEpoch === 0) order = shuffle(train.count, seed, step / perEpoch);
  const indices = Array.from(order.subarray((step % perEpoch) * batch, (step % perEpoch + 1) * batch));
  optimizer.lr = oneCycleRate(step, steps, lr);
  const loss = scope(gpu, () => {
    const { x, target } = upload(train, indices);
    const value = crossEntropy(model.forward(x), target, { labelSmoothing: LABEL_SMOOTHING });
    backward(value);
    optimizer.step();
    optimizer.zeroGrad();
    return value;
  });
  const [value] = await loss.toArray();
  loss.dispose();
  if (!Number.isFinite(value)) throw new Error(`the loss became ${value} at step ${step + 1}`);
  sum += value;
  counted++;
  const epochEnd = (step + 1) % perEpoch === 0 || step + 1 === steps;
  if ((step + 1) % 10 === 0 || epochEnd) {
    const minutes = (performance.now() - began) / 60000;
    const line = `step ${String(step + 1).padStart(5)}/${steps}  loss ${(sum / counted).toFixed(4)}  lr ${optimizer.lr.toExponential(2)}  ${minutes.toFixed(1)} min`;
    sum = counted = 0;
    if (epochEnd) {
      log(`${line}  validation ${(100 * (await accuracy(validation.count))).toFixed(1)} %`);
      await save();
    } else log(line);
  }
}

async function save() {
  const state = await model.stateDict();
  const weights = serializeSafetensors(state, { dtype: 'F16', metadata: { format: 'pt' } });
  await writeFileAtomic(join(values.out, 'model.safetensors'), weights);
  await writeFileAtomic(
    join(values.out, 'model.json'),
    `${JSON.stringify(
      {
        format: 'graft-model-1',
        architecture: 'resnet18',
        width,
        preprocessing: { resizeSize: height, cropSize: height, interpolation: 'bilinear', mean: [MEAN, MEAN, MEAN], std: [STD, STD, STD] },
        classes: manifest.classes.map(({ character }) => character),
      },
      null,
      1,
    )}\n`,
  );
}

const { peakBytes } = gpu.memory();
log(`done         ${((performance.now() - began) / 60000).toFixed(1)} min, ${(peakBytes / 2 ** 20).toFixed(0)} MB of GPU memory at most`);
process.exit(0);
