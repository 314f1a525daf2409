/** What was tuned, kept in the user's cache folder: `tuning/ADAPTER.json`. Node only. */
import { mkdir, readFile, rm, rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Gpu } from '../gpu/gpu';
import { applyTuningOnce, type TuningStore, type Warn } from '../tune/table';
import { cacheDir } from './cacheDir';
import { describeFileError, errorCode } from './fileErrors';
import { makeFolder, writeFileAtomic } from './writeFile';

/** Milliseconds that a writer waits for another. Each holds the lock for a few. */
const PATIENCE = 3000;

/**
 * Tables on disk, one file for each adapter and driver.
 * @param dir Default: `tuning` in the user's cache folder.
 */
export function diskTuningStore(dir = join(cacheDir(), 'tuning')): TuningStore {
  const pathOf = (key: string): string => join(dir, `${key}.json`);
  const read = async (key: string): Promise<string | undefined> => {
    try {
      return await readFile(pathOf(key), 'utf8');
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  };
  return {
    async load(key, warn) {
      try {
        return await read(key);
      } catch (error) {
        warn(`what was tuned cannot be read from ${pathOf(key)} (${describeFileError(error)}); it is ignored`);
        return undefined;
      }
    },
    async update(key, change, warn) {
      try {
        await makeFolder(dir);
        return await locked(`${pathOf(key)}.lock`, async () => {
          // What cannot be read is replaced as a whole.
          const text = change(await read(key).catch(() => undefined));
          if (text === undefined) await rm(pathOf(key), { force: true });
          else await writeFileAtomic(pathOf(key), text);
          return true;
        });
      } catch (error) {
        warn(`what was tuned is not kept: ${error instanceof Error && errorCode(error) === '' ? error.message : describeFileError(error)}`);
        return false;
      }
    },
  };
}

/**
 * Lets a device use what `graft tune` kept for it, the first time it is asked. `load` does it for a device it opens itself.
 * Returns how many classes of problems were tuned.
 * @param warn told in one sentence when what is kept does not hold or cannot be read. Default: a line on stderr.
 */
export async function loadTuning(gpu: Gpu, warn: Warn = (message) => console.warn(`graft: ${message}`)): Promise<number> {
  return applyTuningOnce(gpu, diskTuningStore(), warn);
}

/** Runs `fn` while no other process does so under this name. A lock that a killed process left is taken over. */
async function locked<T>(lock: string, fn: () => Promise<T>): Promise<T> {
  const began = Date.now();
  for (;;) {
    try {
      await mkdir(lock); // which one of many does, the file system decides
      break;
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error;
    }
    const age = await stat(lock).then(({ mtimeMs }) => Date.now() - mtimeMs, () => 0);
    if (age > PATIENCE || Date.now() - began > PATIENCE) await rmdir(lock).catch(() => undefined);
    else await sleep(20);
  }
  try {
    return await fn();
  } finally {
    await rmdir(lock).catch(() => undefined);
  }
}
