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

/** Settings with the engine's defaults filled in. @throws UsageError for a value out of range. */
export function recipeOf(settings: Settings): Recipe {
  const { validationFraction } = settings;
  if (!(validationFraction >= 0 && validationFraction < 1)) throw new UsageError(`The share of pictures that is held out must be at least 0 and below 1, got ${validationFraction}.`);
  return engineRecipeOf(optionsOf(settings));
}
