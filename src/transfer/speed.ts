/**
 * How fast this device runs a network, and from that how long a plan will take. A short measurement before the first
 * run gives the order of magnitude; what runs really took then mends it.
 */
import { backward } from '../autograd/backward';
import { noGrad } from '../autograd/op';
import { mean } from '../autograd/ops/shape';
import type { Gpu } from '../gpu/gpu';
import { Random } from '../random';
import { Tensor, capture, keep, scope } from '../tensor';
import { countOperations } from '../tune/problems';
import type { Classifier } from './classifier';
import type { PlanCost } from './planCost';
import { precisionOf } from './precision';
import type { RunSizes } from './training';
import type { FineTuneResult } from './types';
import { unchanged } from './unchanged';

/** Operations are multiplications and additions of the plain method, as `planCost` counts them. */
export interface Speed {
  /** Operations a second of passes forward, and of passes backward. */
  readonly forward: number;
  readonly backward: number;
  /** Seconds that a step takes however little it computes. */
  readonly overhead: number;
  /** Seconds until programs are ready: those that go forward, and those that go back. */
  readonly startup: { readonly forward: number; readonly backward: number };
}

/** Operations of the forward pass that is timed: enough to fill the device, and done in a fraction of a second. */
const OPERATIONS = { gpu: 60e9, software: 3e9 } as const;
const MOST_IMAGES = { gpu: 32, software: 16 } as const;
/** Milliseconds that a timing takes at least, if the pass is not longer. */
const SAMPLE = 100;

/**
 * Times a forward pass of a small batch, and one back through the network's second half, whose gradients are dropped: the
 * network is as it was. Takes well under a second on a GPU, some seconds on a CPU adapter, where nothing is compiled yet.
 */
export async function measureSpeed(classifier: Classifier): Promise<Speed> {
  const { network, gpu, preprocessing: { cropSize } } = classifier;
  const inference = inferenceOf(network);
  const one = operationsOf(classifier, cropSize);
  const kind = gpu.adapter.software ? 'software' : 'gpu';
  const count = Math.max(1, Math.min(MOST_IMAGES[kind], Math.round(OPERATIONS[kind] / one)));
  const images = keep(noise(gpu, [count, cropSize, cropSize, 3]));
  const features = keep(noise(gpu, [1, network.numFeatures]));
  let middle: Tensor | undefined;
  try {
    const whole = await timed(gpu, inference(() => network.forward(images)));
    const given = (middle = scope(gpu, inference(() => network.forwardTo('layer2', images))));
    const idle = await timed(gpu, inference(() => network.forwardHead(features)));
    const forward = whole.operations / Math.max(whole.seconds - idle.seconds, whole.seconds / 10);
    const there = { forward: whole.startup, backward: whole.startup };
    // What is kept in f16 has no gradient to time.
    if (precisionOf(network) === 'float16') return { forward, backward: forward, overhead: idle.seconds, startup: there };
    const half = await timed(gpu, () => unchanged(network, () => halfwayBack(classifier, given)));
    const back = gpu.rehearse(() => countOperations(gpu, inference(() => network.forwardHead(network.forwardFrom('layer2', given)))));
    const backSeconds = Math.max(half.seconds - idle.seconds - back / forward, half.seconds / 4);
    return { forward, backward: (half.operations - back) / backSeconds, overhead: idle.seconds, startup: { ...there, backward: half.startup } };
  } finally {
    for (const tensor of [images, features, middle]) tensor?.dispose();
  }
}

/** Operations of the one picture of a rehearsal, at most: a second on the slowest adapter there is, SwiftShader. */
const REHEARSED = 1.5e9;
/** Sides of pictures that are tried for it go down by so many pixels, to no less. */
const SIDES = 32;

/**
 * A guess at the same from one picture that goes forward twice, made so small that it is done in a second or two where
 * `measureSpeed` would take many. The way back is taken to be as fast, and to take twice as long to begin.
 */
export async function rehearseSpeed(classifier: Classifier): Promise<Speed> {
  const { network, gpu, preprocessing: { cropSize } } = classifier;
  let side = cropSize;
  while (side - SIDES >= SIDES && operationsOf(classifier, side) > REHEARSED) side -= SIDES;
  using images = keep(noise(gpu, [1, side, side, 3]));
  const { operations, seconds, startup } = await timed(gpu, inferenceOf(network)(() => network.forward(images)));
  const speed = operations / seconds;
  return { forward: speed, backward: speed, overhead: 0.01, startup: { forward: startup, backward: 2 * startup } };
}

/** Of a prediction for one picture of so many pixels a side. */
function operationsOf({ network, gpu }: Classifier, side: number): number {
  return gpu.rehearse(() => countOperations(gpu, inferenceOf(network)(() => network.forward(Tensor.empty(gpu, [1, side, side, 3])))));
}

/** Makes functions that run the network for its results alone, and leave it as it was. */
function inferenceOf(network: Classifier['network']): (fn: () => Tensor) => () => Tensor {
  return (fn) => () => unchanged(network, () => noGrad(() => {
    network.eval();
    return fn();
  }));
}

/** Forward from what layer2 gives, and back to the weights after it; the gradients are dropped. */
function halfwayBack({ network }: Classifier, middle: Tensor): Tensor {
  network.eval();
  network.recompute = false;
  network.freeze();
  for (const parameter of network.parameters()) parameter.grad = undefined;
  network.unfreeze('layer3', 'layer4', 'fc');
  const loss = mean(network.forwardHead(network.forwardFrom('layer2', middle)));
  backward(loss);
  return loss;
}

interface Timed {
  readonly operations: number;
  /** Of one run. */
  readonly seconds: number;
  /** Until it could run the first time. */
  readonly startup: number;
}

async function timed(gpu: Gpu, fn: () => Tensor): Promise<Timed> {
  const operations = gpu.rehearse(() => countOperations(gpu, fn));
  await gpu.sync();
  const began = performance.now();
  using program = await capture(gpu, fn);
  const ready = performance.now();
  const run = async (times: number): Promise<number> => {
    const before = performance.now();
    for (let i = 0; i < times; i++) {
      program.replay();
      gpu.flush();
    }
    await gpu.sync();
    return (performance.now() - before) / times / 1000;
  };
  const first = await run(1);
  // The first run may compile, and touches memory for the first time; where it is long that does not count.
  const seconds = first > 5 * SAMPLE / 1000 ? first : await run(Math.max(1, Math.min(32, Math.ceil(SAMPLE / 1000 / first))));
  return { operations, seconds, startup: (ready - began) / 1000 + Math.max(0, first - seconds) };
}

/**
 * Seconds that a run of a plan is expected to take: all of its epochs, unless it ends early. `known`: images whose
 * features are known already. Decoding of images is not counted: it goes on beside the steps.
 */
export function expectedSeconds({ arithmetic, epochs, batchSize }: PlanCost, { train, validation, known = 0 }: RunSizes & { readonly known?: number }, speed: Speed): number {
  const left = arithmetic.onFeatures ? Math.max(0, train + validation - known) : 0;
  const once = (left * arithmetic.features) / speed.forward;
  return startupSeconds(arithmetic.onFeatures, left, speed) + once + epochs * epochSeconds({ arithmetic, batchSize }, { train, validation }, speed);
}

/** Of a run: the trunk's programs are made where it is run, forward for features, else both ways. The head's alone take no time. */
function startupSeconds(onFeatures: boolean, computed: number, { startup: { forward, backward } }: Speed): number {
  if (onFeatures) return computed > 0 ? forward : 0;
  return forward + backward;
}

function epochSeconds({ arithmetic: { step, evaluation }, batchSize }: Pick<PlanCost, 'arithmetic' | 'batchSize'>, { train, validation }: RunSizes, speed: Speed): number {
  const steps = Math.ceil(train / batchSize) + Math.ceil(validation / batchSize);
  return train * (step.forward / speed.forward + step.backward / speed.backward) + (validation * evaluation) / speed.forward + steps * speed.overhead;
}

/**
 * The speed that a run showed, where it shows any: the better guess for the next one on this device. What epochs took
 * tells of steps; the rest of the run, of starting and of computing features, each by its expected share.
 */
export function refineSpeed(speed: Speed, cost: PlanCost, { history, images, features, seconds }: Pick<FineTuneResult, 'history' | 'images' | 'features' | 'seconds'>): Speed {
  if (history.length === 0) return speed;
  const { onFeatures, features: operations } = cost.arithmetic;
  // The first epoch of several is left out: it may compile what is left to.
  const epochs = history.slice(history.length > 1 ? 1 : 0);
  const step = positive(epochs.reduce((sum, epoch) => sum + epoch.seconds, 0) / epochs.length / epochSeconds(cost, images, speed));
  const computed = features?.computed ?? 0;
  const starting = startupSeconds(onFeatures, computed, speed);
  const computing = (computed * operations) / speed.forward;
  const before = positive((seconds - history.reduce((sum, epoch) => sum + epoch.seconds, 0)) / (starting + computing));
  const startup = { forward: speed.startup.forward * before, backward: speed.startup.backward * before };
  const pass = !onFeatures ? step : computing > 0 ? before : 1;
  return { forward: speed.forward / pass, backward: speed.backward / pass, overhead: speed.overhead * step, startup };
}

/** A ratio, or 1 where it tells nothing. */
function positive(ratio: number): number {
  return Number.isFinite(ratio) && ratio > 0 ? ratio : 1;
}

/** Values as the middle of a network has them, at most a few thousand different ones. */
function noise(gpu: Gpu, shape: readonly number[]): Tensor {
  const random = new Random(0);
  const few = Float32Array.from({ length: 4096 }, () => random.normal());
  return Tensor.fromArray(gpu, shape, Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => few[i % 4096]));
}
