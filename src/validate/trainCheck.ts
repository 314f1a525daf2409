/** Checks a `train` fixture: logits before, the loss of each step, parameters and statistics after, and what is frozen. */
import { backward } from '../autograd/backward';
import { noGrad } from '../autograd/op';
import { crossEntropy } from '../autograd/ops/loss';
import { ShapeError, UsageError, WeightsError, formatShape } from '../errors';
import type { Gpu } from '../gpu/gpu';
import { f32, sizeOf, type HostTensor } from '../hostTensor';
import { BatchNorm2d } from '../layers/batchNorm2d';
import type { ResNet } from '../models/resnet';
import { Optimizer } from '../optim/optimizer';
import { Tensor, scope } from '../tensor';
import type { Args } from './args';
import { compare, compareBits } from './compare';
import type { Fixture } from './fixture';
import { modelOf, optimizerOf, stateOf } from './modelArgs';
import type { Check } from './verdict';

const LOGITS = 1e-3;
const LOSSES = 2e-3;
const AFTER = 1e-2;

export async function checkTrain(gpu: Gpu, fixture: Fixture): Promise<Check[]> {
  const { args } = fixture;
  const model = modelOf(gpu, args);
  try {
    const before = await stateOf(fixture, model);
    model.loadStateDict(before);
    const batches = await readBatches(fixture, model);
    const optimizer = prepare(model, args);
    const smoothing = args.number('label_smoothing', 0);
    try {
      model.eval();
      const logits = scope(gpu, () => noGrad(() => model.forward(image(gpu, batches[0]))));
      const wantLogits = await fixture.tensor('logits');
      const checks = [compare('logits', await logits.toHost(), wantLogits, fixture.bound(LOGITS))];
      logits.dispose();

      model.train();
      const losses = batches.map((batch) => scope(gpu, () => step(gpu, model, optimizer, batch, smoothing)));
      const values = new Float32Array(losses.length);
      for (const [i, loss] of losses.entries()) {
        values[i] = (await loss.toArray())[0];
        loss.dispose();
      }
      checks.push(compare('losses', f32([values.length], values), await fixture.tensor('losses'), fixture.bound(LOSSES)));
      return [...checks, ...(await checkAfter(fixture, model, before))];
    } finally {
      optimizer.dispose();
    }
  } finally {
    model.dispose();
  }
}

interface Batch {
  readonly inputs: HostTensor;
  readonly targets: HostTensor;
}

async function readBatches(fixture: Fixture, model: ResNet): Promise<Batch[]> {
  const [inputs, targets] = [await fixture.tensor('inputs'), await fixture.tensor('targets', 'I64')];
  const [steps, size] = inputs.shape;
  if (inputs.shape.length !== 5 || inputs.shape[2] !== 3 || sizeOf(inputs.shape) === 0 || formatShape(targets.shape) !== formatShape([steps, size])) {
    throw new ShapeError(`inputs must be [steps, B, 3, H, W] and targets [steps, B], got ${formatShape(inputs.shape)} and ${formatShape(targets.shape)}`);
  }
  const wrong = Array.from(targets.data, Number).find((t) => t < 0 || t >= model.numClasses);
  if (wrong !== undefined) throw new ShapeError(`targets hold ${wrong}; with ${model.numClasses} classes they run from 0 to ${model.numClasses - 1}`);
  return Array.from({ length: steps }, (_, i) => ({ inputs: part(inputs, i), targets: part(targets, i) }));
}

/** Position `i` of the first axis. */
function part({ dtype, shape, data }: HostTensor, i: number): HostTensor {
  const size = sizeOf(shape.slice(1));
  return { dtype, shape: shape.slice(1), data: data.slice(i * size, (i + 1) * size) };
}

function image(gpu: Gpu, { inputs }: Batch): Tensor {
  return Tensor.fromHost(gpu, inputs, 'image');
}

/** Freezes by plain prefixes, sets the batch norms, and makes the optimizer. */
function prepare(model: ResNet, args: Args): Optimizer {
  const freeze = args.texts('freeze');
  for (const [name, parameter] of model.namedParameters()) parameter.requiresGrad = !freeze.some((prefix) => name.startsWith(prefix));
  if (model.parameters().every((parameter) => !parameter.requiresGrad)) throw new UsageError('args.freeze leaves no parameter to train');
  const hold = args.choice('bn', ['hold', 'update']) === 'hold';
  for (const [, module] of model.modules()) if (hold && module instanceof BatchNorm2d) module.hold();
  return new Optimizer(model.namedParameters(), optimizerOf(args.object('optimizer')));
}

function step(gpu: Gpu, model: ResNet, optimizer: Optimizer, batch: Batch, labelSmoothing: number): Tensor {
  const loss = crossEntropy(model.forward(image(gpu, batch)), Tensor.fromHost(gpu, batch.targets), { labelSmoothing });
  optimizer.zeroGrad();
  backward(loss);
  optimizer.step();
  optimizer.zeroGrad();
  return loss;
}

/** Every trained parameter and statistic within its bound; every frozen one, and held statistics, to the bit. */
async function checkAfter(fixture: Fixture, model: ResNet, before: ReadonlyMap<string, HostTensor>): Promise<Check[]> {
  const still = new Set([...model.namedParameters()].filter(([, { requiresGrad }]) => !requiresGrad).map(([name]) => name));
  for (const [path, module] of model.modules()) {
    if (!(module instanceof BatchNorm2d) || module.updates) continue;
    for (const [name] of module.namedBuffers(path)) still.add(name);
  }
  const parameters = new Set([...model.namedParameters()].map(([name]) => name));
  const strides = fixture.args.has('sample_stride') ? fixture.args.object('sample_stride') : undefined;
  const checks: Check[] = [];
  for (const [name, got] of await model.stateDict()) {
    const start = before.get(name);
    if (still.has(name) && start) checks.push(compareBits(`frozen ${name}`, got, start));
    const whole = `after.${name}`;
    const sample = `after_sample.${name}`;
    if (fixture.has(sample)) {
      if (fixture.has(whole)) throw new WeightsError(`tensors '${whole}' and '${sample}' are both there; it must be one of them`);
      if (!strides) throw new WeightsError(`args.sample_stride is missing; '${sample}' needs it`);
      const stride = strides.integer(name);
      if (stride < 1) throw new WeightsError(`args.sample_stride.${name} must be at least 1, got ${stride}`);
      checks.push(compare(sample, every(got, stride), await fixture.tensor(sample), fixture.bound(AFTER), { stride, shape: got.shape }));
    } else if (name.endsWith('num_batches_tracked')) {
      if (fixture.has(whole)) checks.push(compareBits(whole, got, await fixture.tensor(whole, 'I64')));
    } else if (fixture.has(whole) || !parameters.has(name) || !still.has(name)) {
      checks.push(compare(whole, got, await fixture.tensor(whole), fixture.bound(AFTER)));
    }
  }
  return checks;
}

/** Elements 0, stride, 2 * stride, ... */
function every({ data }: HostTensor, stride: number): HostTensor {
  const sample = (data as Float32Array).filter((_, i) => i % stride === 0);
  return f32([sample.length], sample);
}
