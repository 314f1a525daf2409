/** What each plan would cost on this device, for the images that there are. */
import { expectedSeconds, planCost, type Classifier, type FineTuneOptions, type PlanCost as Cost, type Speed } from '../../src/index';
import type { PlanCost, Settings } from '../shared/protocol';

/** Images to train on and to hold out, and those whose features are known. */
export interface ImageCounts {
  readonly train: number;
  readonly validation: number;
  /** Default 0. */
  readonly known?: number;
}

/**
 * Costs of plans under the user's settings. `speed`: null until it has been measured. Call it between runs, or between two
 * steps of one; the classifier should have the project's classes. What was worked out before is remembered.
 */
export async function planCosts(classifier: Classifier, plans: readonly string[], settings: Settings, images: ImageCounts, speed: Speed | null): Promise<readonly PlanCost[]> {
  const costs: PlanCost[] = [];
  for (const plan of plans) {
    const cost = await costOf(classifier, { ...optionsOf(settings), plan }, images);
    costs.push({
      plan,
      trainedParameters: cost.trainedParameters,
      memoryBytes: cost.memory.bytes,
      seconds: speed && images.train > 0 ? expectedSeconds(cost, images, speed) : null,
    });
  }
  return costs;
}

/** By what a cost depends on besides the weights' values. */
const remembered = new WeakMap<Classifier, Map<string, Cost>>();

async function costOf(classifier: Classifier, options: FineTuneOptions, { train, validation }: ImageCounts): Promise<Cost> {
  const known = remembered.get(classifier) ?? new Map<string, Cost>();
  remembered.set(classifier, known);
  const key = JSON.stringify([options, train, validation, classifier.network.numClasses, classifier.precision]);
  const cost = known.get(key) ?? (await planCost(classifier, options, { train, validation }));
  known.set(key, cost);
  return cost;
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
