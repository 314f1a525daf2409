/**
 * Fine-tuning: freezes what the plan leaves out, trains the rest, keeps the best epoch.
 *
 * Every random choice is a function of (seed, epoch), so a run that continues from a snapshot takes the same steps as
 * one that was never broken. Inside a step nothing is read back; losses are fetched in groups, between steps.
 */
import { DeviceLostError, OutOfMemoryError } from '../errors';
import type { ImageCollection } from '../data/collection';
import type { Gpu } from '../gpu/gpu';
import type { Checkpoint } from './checkpoint';
import type { Classifier } from './classifier';
import { Kept, placeInWords, resumeFrom } from './kept';
import { chooseMemory, nextManner } from './memory';
import { applyPlan, checkPlan, recipeOf } from './plan';
import { applyPrecision, assertPrecision } from './precision';
import { Run } from './run';
import { Turns } from './turns';
import type { FineTuneOptions, FineTuneResult, MemoryUse, Recipe } from './types';

/**
 * Trains `classifier` on `data.train` in place and leaves it with the best epoch's weights, by accuracy on
 * `data.validation` (without validation images: the last epoch's). It gets a new last layer first unless its classes
 * are the data's.
 *
 * A loss that is not finite ends training with `ended: 'diverged'`; an aborted signal with `'interrupted'`. Both keep
 * the best weights so far. Where the GPU runs out of memory, training goes on from the last snapshot with fewer images
 * at a time, and says so. Where it is lost, so is the run: see `fineTuneWithRecovery`.
 * @throws UsageError for options out of range or a checkpoint of another run; DataError when no image can be read;
 * DeviceLostError; OutOfMemoryError when one image at a time is too much.
 */
export function fineTune(classifier: Classifier, data: ImageCollection, options: FineTuneOptions = {}): Promise<FineTuneResult> {
  return trainKeeping(new Kept(options), classifier, data, options);
}

/** The same; what is needed to go on elsewhere is in `kept`, from which it goes on if it has begun. */
export async function trainKeeping(kept: Kept, classifier: Classifier, data: ImageCollection, options: FineTuneOptions): Promise<FineTuneResult> {
  const recipe = recipeOf({ precision: classifier.precision, ...options });
  checkPlan(classifier.network, recipe.plan);
  assertPrecision(classifier.gpu, recipe.precision);
  classifier.setClasses(data.classes, recipe.seed);
  const { network } = classifier;
  applyPlan(network, recipe);
  applyPrecision(network, recipe.precision);
  if (recipe.precision !== classifier.precision && !kept.hasBegun) {
    options.onProgress?.({ kind: 'note', message: "Every part of the network is trained, so precision 'float16' changes nothing." });
  }
  const { recompute } = network;
  try {
    let saved = kept.hasBegun ? await kept.snapshots.last() : options.resume ? await resumeFrom(kept, recipe, options) : undefined;
    for (;;) {
      const run = await startWithin(kept, classifier, data, { recipe, options, saved });
      try {
        return await run.toEnd();
      } catch (error) {
        const less = error instanceof OutOfMemoryError ? nextManner(network, run.memory) : undefined;
        if (less === undefined) throw error;
        kept.manner = less;
      } finally {
        run.dispose();
      }
      await rest(classifier.gpu);
      saved = await kept.snapshots.last();
      const message = `The GPU ran out of memory with ${run.memory.microBatch} images at a time; going on ${placeInWords(kept.snapshots.place)}, with ${inWords(kept.manner, run.memory)}.`;
      options.onProgress?.({ kind: 'note', message });
    }
  } finally {
    network.recompute = recompute;
  }
}

/** Starts a run in as large parts of a batch as there is memory for. */
async function startWithin(
  kept: Kept,
  classifier: Classifier,
  data: ImageCollection,
  { recipe, options, saved }: { readonly recipe: Recipe; readonly options: FineTuneOptions; readonly saved: Checkpoint | undefined },
): Promise<Run> {
  const { network, gpu } = classifier;
  gpu.trim(); // what was used before has other sizes
  const sizes = { train: data.train.items.length, validation: data.validation.items.length };
  // A run goes on in the parts it began with, to take the same steps.
  const wanted = { ...options, microBatch: options.microBatch ?? saved?.microBatch ?? recipe.batchSize };
  for (;;) {
    const memory = await chooseMemory(classifier, recipe, { ...wanted, ...kept.manner }, sizes);
    options.onProgress?.({ kind: 'memory', batchSize: recipe.batchSize, memory });
    network.recompute = memory.recompute;
    kept.manner = { microBatch: memory.microBatch, recompute: memory.recompute };
    try {
      return await Run.start(kept, classifier, data, { recipe, memory, options, turns: new Turns(options, gpu), saved });
    } catch (error) {
      const less = error instanceof OutOfMemoryError ? nextManner(network, memory) : undefined;
      if (less === undefined) throw error;
      kept.manner = less;
      await rest(gpu);
      options.onProgress?.({ kind: 'note', message: `The GPU had no memory for ${memory.microBatch} images at a time; trying with ${inWords(less, memory)}.` });
    }
  }
}

function inWords(less: Pick<MemoryUse, 'microBatch'>, before: MemoryUse): string {
  return less.microBatch < before.microBatch ? `${less.microBatch} at a time` : 'blocks recomputed';
}

/** Waits until the device has done what it could, drops what it reports of the rest, and gives back what nobody uses. */
async function rest(gpu: Gpu): Promise<void> {
  await gpu.sync().catch((error: unknown) => {
    if (error instanceof DeviceLostError) throw error;
  });
  gpu.trim();
}
