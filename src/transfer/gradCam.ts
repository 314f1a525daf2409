/**
 * Grad-CAM (Selvaraju et al., 2017): where in an image a class's score comes from. The score's gradient with respect to
 * what a stage gives says how much each channel matters; the channels weighed by it, added up, make a map.
 */
import { backward } from '../autograd/backward';
import { noGrad } from '../autograd/op';
import { cast } from '../autograd/ops/shape';
import { ShapeError, UsageError, suggest } from '../errors';
import { Conv2d } from '../layers/conv2d';
import type { Module } from '../layers/module';
import { STAGES, type StageName } from '../models/resnet';
import { Tensor, scope } from '../tensor';
import type { Classifier } from './classifier';
import { argmax, softmaxOf } from './evaluate';
import { unchanged } from './unchanged';

export interface GradCamOptions {
  /** Of the class to explain. Default: the most likely one. */
  readonly classIndex?: number;
  /** The stage whose output is looked at: later ones tell more about the class, earlier ones more about the place. Default `layer4`. */
  readonly layer?: StageName;
}

export interface GradCam {
  readonly classIndex: number;
  /** Of that class, by softmax. */
  readonly probability: number;
  /** Of the map: height and width, as the stage has them. */
  readonly size: readonly [number, number];
  /** [height, width]: 1 where the score comes from most, 0 where nothing speaks for the class. All zeros where nothing does anywhere. */
  readonly heat: Float32Array;
}

/**
 * The map of one prepared image [cropSize, cropSize, 3] (see `preprocess`). The network is as it was afterwards: it may
 * be asked between steps of training. Only what comes after the stage leaves a graph.
 * @throws ShapeError for inputs of another size; UsageError for a class or a stage that there is not.
 */
export async function gradCam(classifier: Classifier, inputs: Float32Array, { classIndex, layer = 'layer4' }: GradCamOptions = {}): Promise<GradCam> {
  const { network, gpu, preprocessing: { cropSize } } = classifier;
  check(classifier, inputs, classIndex, layer);
  const { activations, first } = scope(gpu, () => unchanged(network, () => noGrad(() => {
    network.eval();
    const y = network.forwardTo(layer, Tensor.fromArray(gpu, [1, cropSize, cropSize, 3], inputs));
    const given = y.dtype === 'f16' ? cast(y, 'f32') : y;
    return classIndex === undefined ? { activations: given, first: network.forwardHead(network.forwardFrom(layer, given)) } : { activations: given, first: undefined };
  })));
  try {
    const index = classIndex ?? argmax((await first?.toArray()) as Float32Array);
    const { logits, gradient } = scope(gpu, () => unchanged(network, () => differentiate(classifier, { activations, index, layer })));
    try {
      const [values, slopes, scores] = (await Promise.all([activations, gradient, logits].map((tensor) => tensor.toArray()))) as Float32Array[];
      const [, height, width] = activations.shape;
      return { classIndex: index, probability: softmaxOf(scores)[index], size: [height, width], heat: heatOf(values, slopes, height * width) };
    } finally {
      for (const tensor of [logits, gradient]) tensor.dispose();
    }
  } finally {
    for (const tensor of [activations, first]) tensor?.dispose();
  }
}

/** All scores, and the gradient of one of them with respect to the activations. */
function differentiate({ network, gpu }: Classifier, { activations, index, layer }: { activations: Tensor; index: number; layer: StageName }): { logits: Tensor; gradient: Tensor } {
  network.eval();
  network.recompute = false;
  for (const parameter of network.parameters()) parameter.requiresGrad = false;
  const leaf = activations.view(activations.shape);
  leaf.requiresGrad = true;
  const logits = network.forwardHead(network.forwardFrom(layer, leaf));
  backward(logits, Tensor.fromArray(gpu, logits.shape, Float32Array.from({ length: network.numClasses }, (_, i) => (i === index ? 1 : 0))));
  return { logits, gradient: leaf.grad as Tensor };
}

/** ReLU of the channels' sum, each weighed by the mean of its gradient over places; the largest value becomes 1. */
function heatOf(activations: Float32Array, gradient: Float32Array, places: number): Float32Array {
  const channels = activations.length / places;
  const weights = new Float64Array(channels);
  gradient.forEach((value, i) => { weights[i % channels] += value / places; });
  const sums = Float64Array.from({ length: places }, (_, place) => {
    let sum = 0;
    for (let c = 0; c < channels; c++) sum += weights[c] * activations[place * channels + c];
    return Math.max(0, sum);
  });
  const most = sums.reduce((a, b) => Math.max(a, b), 0);
  return Float32Array.from(sums, (sum) => (most > 0 ? sum / most : 0));
}

function check({ network, preprocessing: { cropSize } }: Classifier, inputs: Float32Array, classIndex: number | undefined, layer: StageName): void {
  if (!STAGES.includes(layer)) throw new UsageError(`gradCam: no stage is called '${String(layer)}'.${suggest(String(layer), STAGES)}`);
  if (inputs.length !== cropSize * cropSize * 3) throw new ShapeError(`gradCam: ${inputs.length} values are no image of [${cropSize}, ${cropSize}, 3]; prepare one image with preprocess()`);
  if (classIndex !== undefined && !(Number.isInteger(classIndex) && classIndex >= 0 && classIndex < network.numClasses)) {
    throw new UsageError(`gradCam: classIndex must be a whole number from 0 to ${network.numClasses - 1}, got ${classIndex}`);
  }
  const after = STAGES.slice(STAGES.indexOf(layer) + 1);
  const half = [...network.parts()].find(([name, modules]) => after.some((stage) => name.startsWith(stage)) && modules.some(isHalf));
  if (half) throw new UsageError(`gradCam: ${half[0]} is kept in f16, through which no gradient flows back to ${layer}; look at layer4, or load the model in precision 'float32'`);
}

function isHalf(module: Module): boolean {
  return [...module.modules()].some(([, layer]) => layer instanceof Conv2d && layer.dtype === 'f16');
}
