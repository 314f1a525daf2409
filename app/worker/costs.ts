/** What each plan would cost on this device, for the images that there are. */
import { expectedSeconds, planCost, type Classifier, type FineTuneOptions, type PlanCost as Cost, type ResNet } from '../../src/index';
import type { PlanCost, Settings } from '../shared/protocol';
import type { Timing } from './engine/speeds';
import { partsOn } from './project/checks';

/** Images to train on and to hold out, and those whose features are known. */
export interface ImageCounts {
  readonly train: number;
  readonly validation: number;
  /** Default 0. */
  readonly known?: number;
}

/** Blocks of a stage from which on not each is worked out by itself. */
const LONG = 8;

/**
 * Costs of plans under the user's settings. `timing`: null until it has been measured. Call it between runs, or between two
 * steps of one; the classifier should have the project's classes. What was worked out before is remembered.
 */
export async function planCosts(classifier: Classifier, plans: readonly string[], settings: Settings, images: ImageCounts, timing: Timing | null): Promise<readonly PlanCost[]> {
  const exact = async (plan: string): Promise<PlanCost> => {
    const { cost, more } = await costOf(classifier, { ...optionsOf(settings), ...partsOn(classifier.gpu.adapter, { ...settings, plan }), plan }, images);
    return {
      plan,
      trainedParameters: cost.trainedParameters,
      memoryBytes: classifier.gpu.memory().liveBytes + more,
      seconds: timing && images.train > 0 ? expectedSeconds(cost, images, timing.speed) : null,
      rough: timing?.rough ?? false,
      known: cost.arithmetic.onFeatures ? images.known ?? 0 : 0,
    };
  };
  const costs: PlanCost[] = [];
  for (const plan of plans) {
    const line = lineOf(plan, classifier.network);
    costs.push(line ? between(plan, await exact(line.from), await exact(line.to), line.share) : await exact(plan));
  }
  return costs;
}

/**
 * For a block in the middle of a long stage: the two blocks of that stage whose costs its own lies between, and where.
 * All but a stage's first block are alike, so each adds the same; the last is worked out too, as what follows differs.
 */
function lineOf(plan: string, network: ResNet): { readonly from: string; readonly to: string; readonly share: number } | undefined {
  const [stage, index] = plan.split('.');
  const blocks = stage === 'layer1' || stage === 'layer2' || stage === 'layer3' || stage === 'layer4' ? network[stage].length : 0;
  const [first, last] = [1, blocks - 2];
  const at = Number(index);
  if (blocks < LONG || !Number.isInteger(at) || at <= first || at >= last) return undefined;
  return { from: `${stage}.${first}`, to: `${stage}.${last}`, share: (at - first) / (last - first) };
}

function between(plan: string, a: PlanCost, b: PlanCost, share: number): PlanCost {
  const mix = (x: number, y: number): number => x + (y - x) * share;
  return {
    plan,
    trainedParameters: Math.round(mix(a.trainedParameters, b.trainedParameters)),
    memoryBytes: Math.round(mix(a.memoryBytes, b.memoryBytes)),
    seconds: a.seconds === null || b.seconds === null ? null : mix(a.seconds, b.seconds),
    rough: a.rough,
    known: 0,
  };
}

/** A cost, and what of its memory comes on top of what is allocated when it is asked for. */
interface Known {
  readonly cost: Cost;
  readonly more: number;
}

/** By all that a cost depends on, but for the weights' values. */
const remembered = new WeakMap<Classifier, Map<string, Known>>();

async function costOf(classifier: Classifier, options: FineTuneOptions, { train, validation }: ImageCounts): Promise<Known> {
  const known = remembered.get(classifier) ?? new Map<string, Known>();
  remembered.set(classifier, known);
  const key = JSON.stringify([options, train, validation, classifier.network.numClasses, classifier.precision]);
  const before = known.get(key);
  if (before) return before;
  const cost = await planCost(classifier, options, { train, validation });
  const made = { cost, more: cost.memory.bytes - classifier.gpu.memory().liveBytes };
  known.set(key, made);
  return made;
}

/** Of the settings, those that a cost depends on. */
function optionsOf({ epochs, batchSize, optimizer, augment, float16 }: Settings): FineTuneOptions {
  return {
    batchSize,
    optimizer: { name: optimizer },
    precision: float16 ? 'float16' : 'float32',
    ...(epochs !== null && { epochs }),
    ...(augment && { augment }),
  };
}
