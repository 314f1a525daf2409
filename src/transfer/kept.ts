/**
 * What a run has in ordinary memory: it outlives the programs on the device, which are made anew when there was too
 * little memory for them, and the device itself.
 */
import { UsageError } from '../errors';
import type { ImageCollection } from '../data/collection';
import type { StateDict } from '../layers/module';
import { parseCheckpoint, serializeCheckpoint, type Checkpoint } from './checkpoint';
import type { Classifier } from './classifier';
import { digest } from './featureCache';
import type { Feeds } from './feed';
import { changingNames } from './plan';
import type { CheckpointStore, Evaluation, FineTuneOptions, MemoryUse, Recipe } from './types';

export interface KeptOptions {
  /** Whether the run may go on with a classifier that was loaded anew, and has to see that it is the same. */
  readonly reopens?: boolean;
}

export class Kept {
  readonly began = performance.now();
  readonly snapshots: Snapshots;
  /** Features and images, once they are ready. */
  feeds: Feeds | undefined;
  /** How the batch is taken, where it has been found out. */
  manner: Pick<MemoryUse, 'microBatch' | 'recompute'> | undefined;
  /** Of an epoch, from 1: the best one's, once there is one. */
  evaluation: { readonly epoch: number; readonly evaluation: Evaluation | null } | undefined;
  /** Of devices that are gone. */
  peakBytes = 0;
  /** What can change, as it was at the start. */
  initial: StateDict = new Map();
  #origin: string | undefined;
  readonly #digests: boolean;
  /** The one whose weights are no longer those of the start. */
  #trained: Classifier | undefined;

  constructor({ checkpoint }: FineTuneOptions, { reopens = false }: KeptOptions = {}) {
    this.snapshots = new Snapshots(checkpoint);
    this.#digests = reopens || checkpoint !== undefined;
  }

  /** Whether a run has begun with it, so that the next one goes on. */
  get hasBegun(): boolean {
    return this.#trained !== undefined;
  }

  /** Digest of the starting weights and of the images, for snapshots; empty where none could be resumed by another run. */
  get origin(): string {
    return this.#origin ?? '';
  }

  /**
   * Reads what the run starts from, the plan applied; on a classifier that has been trained already, gives it that back.
   * @throws UsageError where another classifier starts from something else.
   */
  async start(classifier: Classifier, data: ImageCollection): Promise<void> {
    const { network, preprocessing } = classifier;
    if (this.#trained === classifier) {
      network.loadStateDict(this.initial, { strict: false });
      return;
    }
    const changing = changingNames(network);
    const state = await network.stateDict((name) => this.#digests || changing.has(name));
    const items = [...data.train.items, ...data.validation.items].map(({ hash, label }) => [hash, label]);
    const origin = this.#digests ? await digest(JSON.stringify([items, preprocessing]), state) : '';
    if (this.#origin !== undefined && this.#origin !== origin) {
      throw new UsageError('fineTuneWithRecovery: what `open` gave for the new device is not what training began with; it must load the same weights each time');
    }
    this.#origin = origin;
    this.initial = new Map([...state].filter(([name]) => changing.has(name)));
    this.#trained = classifier;
  }
}

/** Epochs done, and steps of the next one. */
export interface Place {
  readonly epoch: number;
  readonly step: number;
}

const START: Place = { epoch: 0, step: 0 };

export function placeOf({ epoch, within }: Checkpoint): Place {
  return { epoch, step: within?.step ?? 0 };
}

/** Where snapshots of a run go, and where the last one is had from: a store of the caller's, or memory. */
export class Snapshots {
  readonly #store: CheckpointStore | undefined;
  /** The last one: itself, where there is no store; else how the file in it begins, which is the run's own. */
  #last: Checkpoint | Uint8Array | undefined;
  #place: Place = START;
  /** Saved so far. */
  count = 0;

  constructor(store: CheckpointStore | undefined) {
    this.#store = store;
  }

  /** Whether another run can resume from them. */
  get outlast(): boolean {
    return this.#store !== undefined;
  }

  /** Where the last one stands. */
  get place(): Place {
    return this.#place;
  }

  async save(checkpoint: Checkpoint): Promise<void> {
    if (this.#store) {
      const bytes = serializeCheckpoint(checkpoint);
      await this.#store.save(bytes);
      this.#last = headOf(bytes);
    } else {
      this.#last = checkpoint;
    }
    this.#place = placeOf(checkpoint);
    this.count++;
  }

  /** What the store has from a run before. */
  async resume(): Promise<Checkpoint | undefined> {
    const bytes = await this.#store?.load();
    if (bytes === undefined) return undefined;
    const checkpoint = await parseCheckpoint(bytes);
    this.#last = headOf(bytes);
    this.#place = placeOf(checkpoint);
    return checkpoint;
  }

  /** The last one of this run, or the one it resumed from. Undefined too where the store has failed to keep it. */
  async last(): Promise<Checkpoint | undefined> {
    const last = this.#last;
    if (last === undefined || !(last instanceof Uint8Array)) return last;
    const bytes = await this.#store?.load();
    if (bytes !== undefined && sameBytes(headOf(bytes), last)) return parseCheckpoint(bytes);
    this.#last = undefined;
    this.#place = START;
    return undefined;
  }
}

/** The header of a safetensors file, in which a checkpoint tells its run, history and all: no two are alike. */
function headOf(bytes: Uint8Array<ArrayBuffer>): Uint8Array {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  return bytes.slice(0, 8 + length);
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}

/** `after epoch 2`, `after 14 steps of epoch 3`, `from the start`. */
export function placeInWords({ epoch, step }: Place): string {
  if (step > 0) return `after ${step} ${step === 1 ? 'step' : 'steps'} of epoch ${epoch + 1}`;
  return epoch === 0 ? 'from the start' : `after epoch ${epoch}`;
}

/** How a run of these options resumes: from what, or not at all. */
export async function resumeFrom(kept: Kept, { batchSize }: Recipe, { microBatch, onProgress }: FineTuneOptions): Promise<Checkpoint | undefined> {
  const saved = await kept.snapshots.resume();
  if (saved === undefined) {
    onProgress?.({ kind: 'note', message: 'There is no checkpoint to resume from; training starts anew.' });
    return undefined;
  }
  if (microBatch !== undefined && microBatch !== (saved.microBatch ?? batchSize)) {
    throw new UsageError(`resume: the checkpoint was made with microBatch ${saved.microBatch ?? batchSize}, this run has ${microBatch}; use the same, or start anew without resume`);
  }
  return saved;
}
