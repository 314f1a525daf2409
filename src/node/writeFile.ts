/** Writes files so that a killed process or a full disk leaves the old file or the new one, never half of one. Node only. */
import { randomBytes } from 'node:crypto';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { GraftError } from '../errors';
import { describeFileError, errorCode } from './fileErrors';

/**
 * Writes `bytes` (text as UTF-8) to `path`, replacing what is there: into a temporary name in the same folder, flushed
 * to disk, then renamed. On failure the temporary file is removed and the old file is as it was.
 * @throws GraftError in one line: disk full, read-only, no permission, no such folder, a folder of this name.
 */
export async function writeFileAtomic(path: string, bytes: Uint8Array | string): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path).slice(0, 100)}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`);
  let handle: FileHandle | undefined;
  try {
    handle = await open(temporary, 'wx');
    await handle.writeFile(bytes);
    await handle.sync();
    await handle.close();
    handle = undefined;
    await rename(temporary, path);
  } catch (error) {
    await handle?.close().catch(() => undefined);
    await rm(temporary, { force: true }).catch(() => undefined);
    const reason = errorCode(error) === 'ENOENT' ? `there is no folder '${folder}'. Make it first` : describeFileError(error);
    throw new GraftError(`cannot write ${path}: ${reason}.`, { cause: error });
  }
  await syncFolder(folder);
}

/** Makes a folder and those above it. @throws GraftError in one line when that cannot be done. */
export async function makeFolder(path: string): Promise<void> {
  try {
    await makeFolders(path);
  } catch (error) {
    throw new GraftError(`cannot make folder ${path}: ${describeFileError(error)}.`, { cause: error });
  }
}

/** Not `mkdir`'s own `recursive`: on a file system that takes no folders (/proc) Node 20 repeats it for ever. */
async function makeFolders(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    if ((await stat(path).catch(() => undefined))?.isDirectory()) return;
    const parent = dirname(path);
    if (errorCode(error) !== 'ENOENT' || parent === path) throw error;
    await makeFolders(parent);
    // Another process may have made it meanwhile.
    await mkdir(path).catch(async (again: unknown) => {
      if (!(await stat(path).catch(() => undefined))?.isDirectory()) throw again;
    });
  }
}

/** Makes the rename itself last through a power cut, where the system lets a folder be flushed (Windows does not). */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close().catch(() => undefined);
}
