/** The state of a run between two steps, in one safetensors file, so that it is whole or not there. */
import { UsageError, WeightsError } from '../errors';
import type { HostTensor } from '../hostTensor';
import { bytesSource } from '../weights/byteSource';
import { openWeights } from '../weights/open';
import { serializeSafetensors } from '../weights/safetensors';
import { readAll } from '../weights/weightsFile';
import type { LossState } from './lossMeter';
import type { EpochRecord, Recipe } from './types';

/** How far the epoch after the last one that is done had come. */
export interface Within extends LossState {
  /** Entries of the epoch's order that are done. */
  readonly position: number;
  readonly seconds: number;
}

export interface Checkpoint {
  readonly recipe: Recipe;
  /** Images that went through the network at once; missing in files of version 0.1, where it was the batch. */
  readonly microBatch?: number;
  readonly classes: readonly string[];
  /** Epochs done. */
  readonly epoch: number;
  /** Missing where none had been begun. */
  readonly within?: Within;
  readonly bestEpoch: number;
  readonly history: readonly EpochRecord[];
  /** Training images in this run and what identifies them. */
  readonly data: string;
  readonly optimizerSteps: number;
  /** The whole network's state now, the best epoch's trained part, and the optimiser's. */
  readonly model: ReadonlyMap<string, HostTensor>;
  readonly best: ReadonlyMap<string, HostTensor>;
  readonly optimizer: ReadonlyMap<string, HostTensor>;
}

/** Files of runs that were between two epochs; and of those in the middle of one, which older versions would take for the first kind. */
const [BETWEEN, WITHIN] = ['graft-checkpoint-1', 'graft-checkpoint-2'];

const GROUPS = ['model', 'best', 'optimizer'] as const;

export function serializeCheckpoint(checkpoint: Checkpoint): Uint8Array<ArrayBuffer> {
  const tensors = new Map<string, HostTensor>();
  for (const group of GROUPS) for (const [name, tensor] of checkpoint[group]) tensors.set(`${group}/${name}`, tensor);
  const { recipe, microBatch, classes, epoch, within, bestEpoch, history, data, optimizerSteps } = checkpoint;
  const run = JSON.stringify({ recipe, microBatch, classes, epoch, within, bestEpoch, history, data, optimizerSteps });
  return serializeSafetensors(tensors, { metadata: { format: within ? WITHIN : BETWEEN, run } });
}

/** @throws WeightsError when the bytes are no whole checkpoint. */
export async function parseCheckpoint(bytes: Uint8Array<ArrayBuffer>): Promise<Checkpoint> {
  const file = await openWeights(bytesSource(bytes, 'checkpoint.safetensors'));
  const { format, run } = file.metadata;
  if ((format !== BETWEEN && format !== WITHIN) || run === undefined) {
    throw new WeightsError('the checkpoint was not written by Graft, or by another version; remove it to start anew');
  }
  const groups: Record<(typeof GROUPS)[number], Map<string, HostTensor>> = { model: new Map(), best: new Map(), optimizer: new Map() };
  for (const [key, tensor] of await readAll(file)) {
    const slash = key.indexOf('/');
    const group = GROUPS.find((name) => name === key.slice(0, slash));
    if (group) groups[group].set(key.slice(slash + 1), tensor);
  }
  const saved = JSON.parse(run) as Omit<Checkpoint, (typeof GROUPS)[number]>;
  // Files of version 0.1 tell no precision: it was this.
  return { ...saved, recipe: { ...saved.recipe, precision: saved.recipe.precision ?? 'float32' }, ...groups };
}

/** Refuses to continue a run under other options, classes or images: the result would be neither's. */
export function assertSameRun(checkpoint: Checkpoint, now: { recipe: Recipe; classes: readonly string[]; data: string }): void {
  for (const key of Object.keys(now.recipe) as (keyof Recipe)[]) {
    const [before, after] = [JSON.stringify(checkpoint.recipe[key]), JSON.stringify(now.recipe[key])];
    if (before !== after) {
      throw new UsageError(`resume: the checkpoint was made with ${key} ${before}, this run has ${after}; use the same options, or start anew without resume`);
    }
  }
  if (JSON.stringify(checkpoint.classes) !== JSON.stringify(now.classes) || checkpoint.data !== now.data) {
    throw new UsageError('resume: the images, classes or starting weights are not those the checkpoint was made with; restore them, or start anew without resume');
  }
}
