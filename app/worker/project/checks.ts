/** The engine's own rules for the options of a run, for settings before they are used. */
import { recipeOf as engineRecipeOf } from '../../../src/transfer/plan';
import type { FineTuneOptions, Recipe } from '../../../src/index';
import { UsageError } from '../../../src/index';
import type { Settings } from '../../shared/protocol';

export { DataError } from '../../../src/index';

/** Settings as the engine's options. */
export function optionsOf({ plan, epochs, batchSize, lr, optimizer, schedule, labelSmoothing, augment, seed, float16 }: Settings): FineTuneOptions {
  return {
    plan, batchSize, schedule, labelSmoothing, seed,
    optimizer: { name: optimizer, ...(lr !== null && { lr }) },
    precision: float16 ? 'float16' : 'float32',
    ...(epochs !== null && { epochs }),
    ...(augment !== null && { augment }),
  };
}

/** Images that go through the network at once on a CPU adapter, which is no faster with more. */
const PART = 8;

/**
 * How a step is taken on an adapter: where it takes seconds, in parts, between which others have their turn. Not where a
 * batch norm follows the batch, as it would follow the part then, nor where only features are trained on.
 */
export function partsOn({ software }: { readonly software: boolean }, { plan, augment, batchSize }: Settings): Pick<FineTuneOptions, 'microBatch'> {
  const wanted = software && batchSize > PART && plan !== 'full' && (plan !== 'head' || augment !== null);
  return wanted ? { microBatch: PART } : {};
}

/** Settings with the engine's defaults filled in. @throws UsageError for a value out of range. */
export function recipeOf(settings: Settings): Recipe {
  const { validationFraction } = settings;
  if (!(validationFraction >= 0 && validationFraction < 1)) throw new UsageError(`The share of pictures that is held out must be at least 0 and below 1, got ${validationFraction}.`);
  return engineRecipeOf(optionsOf(settings));
}
