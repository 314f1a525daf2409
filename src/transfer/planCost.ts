/**
 * What a plan costs before it is run: parameters, memory, arithmetic, and with a measured speed (speed.ts) time. The
 * arithmetic is counted from the run itself, rehearsed without memory: the sums of its products and convolutions.
 */
import { backward } from '../autograd/backward';
import { noGrad } from '../autograd/op';
import { crossEntropy } from '../autograd/ops/loss';
import { sizeOf } from '../hostTensor';
import { ResNet } from '../models/resnet';
import { Tensor } from '../tensor';
import { countOperations } from '../tune/problems';
import type { Classifier } from './classifier';
import { estimateMemory, type MemoryEstimate } from './memory';
import { applyPlan, checkPlan, recipeOf, trainsOnFeatures } from './plan';
import type { RunSizes } from './training';
import type { FineTuneOptions, Recipe } from './types';

/** Multiplications and additions of products and convolutions, by the plain method, for one image. */
export interface Arithmetic {
  /** Of a prediction: the whole network. */
  readonly forward: number;
  /** Of the trunk's features. */
  readonly features: number;
  /** Of a training step: on features where `onFeatures`, else on images. */
  readonly step: { readonly forward: number; readonly backward: number };
  /** Of judging one image: on features where `onFeatures`, else on the image. */
  readonly evaluation: number;
  /** The trunk runs once an image, and training is of the last layer alone. */
  readonly onFeatures: boolean;
}

export interface PlanCost {
  readonly plan: string;
  /** Numbers that are trained, and that there are. */
  readonly trainedParameters: number;
  readonly parameters: number;
  readonly memory: MemoryEstimate;
  readonly arithmetic: Arithmetic;
  readonly epochs: number;
  readonly batchSize: number;
}

/**
 * What `fineTune` with these options would cost. `images`: how many there are; by default one batch of each kind. The
 * classifier should have the classes to be trained. Runs nothing. The memory estimate sets the network's flags for a
 * while, so ask between runs, or in a run's turn between two steps (`betweenSteps`).
 * @throws UsageError as `fineTune` does.
 */
export async function planCost(classifier: Classifier, options: FineTuneOptions = {}, images: Partial<RunSizes> = {}): Promise<PlanCost> {
  const recipe = recipeOf({ precision: classifier.precision, ...options });
  const counted = countPlan(classifier, recipe);
  const { plan, epochs, batchSize } = recipe;
  return { plan, ...counted, memory: await estimateMemory(classifier, options, images), epochs, batchSize };
}

/** Images that are counted at once: with two, even statistics of one place each are of more than one value. */
const IMAGES = 2;

/** Parameters and arithmetic, of a network of the same shape that has neither memory nor values. */
function countPlan({ network, gpu, preprocessing: { cropSize } }: Classifier, recipe: Recipe): Pick<PlanCost, 'trainedParameters' | 'parameters' | 'arithmetic'> {
  checkPlan(network, recipe.plan);
  const { architecture, numClasses, width } = network;
  return gpu.rehearse(() => {
    const twin = new ResNet(gpu, architecture, { numClasses, width, initialise: false });
    applyPlan(twin, recipe);
    const onFeatures = trainsOnFeatures(twin, recipe);
    const images = Tensor.empty(gpu, [IMAGES, cropSize, cropSize, 3]);
    const inputs = onFeatures ? Tensor.empty(gpu, [IMAGES, twin.numFeatures]) : images;
    const targets = Tensor.empty(gpu, [IMAGES], 'i32');
    const run = (x: Tensor): Tensor => (onFeatures ? twin.forwardHead(x) : twin.forward(x));
    const count = (work: () => void): number => countOperations(gpu, work) / IMAGES;
    const inference = (fn: () => void): number => count(() => noGrad(() => { twin.eval(); fn(); }));
    let loss: Tensor | undefined;
    const forward = count(() => {
      twin.train();
      loss = crossEntropy(run(inputs), targets);
    });
    return {
      trainedParameters: elements(twin.parameters().filter(({ requiresGrad }) => requiresGrad)),
      parameters: elements(twin.parameters()),
      arithmetic: {
        forward: inference(() => twin.forward(images)),
        features: inference(() => twin.forwardFeatures(images)),
        step: { forward, backward: count(() => backward(loss as Tensor)) },
        evaluation: inference(() => run(inputs)),
        onFeatures,
      },
    };
  });
}

function elements(parameters: readonly Tensor[]): number {
  return parameters.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
}
