/**
 * What a run keeps on disk: features of a frozen trunk, for the runs after it, and its own state, to be resumed.
 * Neither may cost a run its result: what cannot be read is computed again, what cannot be written is told.
 */
import { createHash, randomBytes } from 'node:crypto';
import { readFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { GraftError, UsageError } from '../errors';
import { f32 } from '../hostTensor';
import type { CheckpointStore } from '../transfer/types';
import type { FeatureStore, Features } from '../transfer/featureCache';
import { bytesSource } from '../weights/byteSource';
import { openSafetensors, serializeSafetensors } from '../weights/safetensors';
import { cacheDir } from './cacheDir';
import { describeFileError, errorCode } from './fileErrors';
import { makeFolder, writeFileAtomic } from './writeFile';

export interface StoreOptions {
  /** Told, in one sentence, of what could not be read or written. Without it, nobody is. */
  readonly onNote?: (message: string) => void;
}

const SHARD = /^[\w-]+\.safetensors$/;
const FORMAT = 'graft-features-1';

/**
 * Features on disk: a folder for each fingerprint (weights and preprocessing), in it one file for each call of `add`,
 * which is never changed afterwards. A file holds `features` [images, numFeatures] in f32, and in its metadata the
 * images' hashes and the data's own SHA-256; one that is damaged is removed.
 * @param dir Default: `features` in the user's cache folder.
 */
export function diskFeatureStore(dir = join(cacheDir(), 'features'), { onNote }: StoreOptions = {}): FeatureStore {
  const folderOf = (fingerprint: string): string => {
    if (!/^[\w-]{1,128}$/.test(fingerprint)) throw new UsageError(`diskFeatureStore: a fingerprint is letters and digits, got '${fingerprint.slice(0, 40)}'`);
    return join(dir, fingerprint);
  };
  return {
    async load(fingerprint) {
      const folder = folderOf(fingerprint);
      const features: Features = new Map();
      let names: string[] = [];
      try {
        names = (await readdir(folder)).filter((name) => SHARD.test(name)).sort();
      } catch (error) {
        if (errorCode(error) !== 'ENOENT') onNote?.(`kept features cannot be read from ${folder} (${describeFileError(error)}); they are computed again`);
      }
      for (const name of names) {
        const path = join(folder, name);
        try {
          await readShard(await readFile(path), path, features);
        } catch (error) {
          const damaged = error instanceof GraftError;
          if (damaged) await rm(path, { force: true }).catch(() => undefined);
          onNote?.(`kept features in ${path} are ${damaged ? 'damaged' : `unreadable (${describeFileError(error)})`}; they are computed again`);
        }
      }
      return features;
    },
    async add(fingerprint, features) {
      if (features.size === 0) return;
      try {
        const folder = folderOf(fingerprint);
        await makeFolder(folder);
        await writeFileAtomic(join(folder, `${randomBytes(8).toString('hex')}.safetensors`), shardOf(features));
      } catch (error) {
        if (error instanceof UsageError) throw error;
        onNote?.(`features are not kept for the next run: ${(error as Error).message}`);
      }
    },
  };
}

function shardOf(features: ReadonlyMap<string, Float32Array>): Uint8Array {
  const hashes = [...features.keys()];
  const length = features.get(hashes[0])?.length ?? 0;
  const data = new Float32Array(hashes.length * length);
  hashes.forEach((hash, i) => {
    const row = features.get(hash) as Float32Array;
    if (row.length !== length) throw new GraftError(`features of one network have one length, got ${length} and ${row.length}`);
    data.set(row, i * length);
  });
  const metadata = { format: FORMAT, hashes: JSON.stringify(hashes), sha256: digest(data) };
  return serializeSafetensors({ features: f32([hashes.length, length], data) }, { metadata });
}

/** @throws GraftError when the bytes are no whole shard. */
async function readShard(bytes: Uint8Array, name: string, into: Features): Promise<void> {
  const file = await openSafetensors(bytesSource(bytes, name));
  const { data, shape } = await file.read('features');
  let hashes: unknown;
  try {
    hashes = JSON.parse(file.metadata.hashes ?? '');
  } catch {
    hashes = undefined;
  }
  const whole = file.metadata.format === FORMAT && data instanceof Float32Array && Array.isArray(hashes)
    && shape.length === 2 && hashes.length === shape[0] && file.metadata.sha256 === digest(data);
  if (!whole) throw new GraftError(`${name}: is no whole file of features`);
  (hashes as string[]).forEach((hash, i) => into.set(hash, (data as Float32Array).slice(i * shape[1], (i + 1) * shape[1])));
}

function digest(data: Float32Array): string {
  return createHash('sha256').update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)).digest('hex');
}

/**
 * One checkpoint in one file, replaced whole after each epoch.
 * With `onNote`, a disk that refuses is told and training goes on; without, `save` throws GraftError.
 */
export function diskCheckpointStore(file: string, { onNote }: StoreOptions = {}): CheckpointStore {
  let told = false;
  return {
    async load() {
      try {
        return new Uint8Array(await readFile(file));
      } catch (error) {
        if (errorCode(error) === 'ENOENT') return undefined;
        throw new GraftError(`cannot read the checkpoint ${file}: ${describeFileError(error)}.`, { cause: error });
      }
    },
    async save(bytes) {
      try {
        await writeFileAtomic(file, bytes);
      } catch (error) {
        if (!onNote) throw error;
        if (!told) onNote(`the run cannot be resumed from here on: ${(error as Error).message}`);
        told = true;
      }
    },
  };
}
