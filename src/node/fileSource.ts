/** A weights file on disk as a `ByteSource`. Node only. */
import { open, readdir, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { WeightsError, nearest } from '../errors';
import type { ByteSource } from '../weights/byteSource';
import { describeFileError, errorCode } from './fileErrors';

/** Node reads at most 2^31 - 1 bytes in one call. */
const MAX_READ = 1 << 30;

/**
 * Opens a file for reading by range; `close()` it afterwards.
 * @throws WeightsError when it is missing (naming the nearest file there is), empty, a folder, no ordinary file, or
 * not readable.
 */
export async function openFile(path: string): Promise<ByteSource & { close(): Promise<void> }> {
  let handle: FileHandle | undefined;
  try {
    // Asked before opening: opening a named pipe would wait for its other end.
    const { size } = await ordinaryFile(path);
    handle = await open(path, 'r');
    return fileSource(path, size, handle);
  } catch (error) {
    await handle?.close();
    if (error instanceof WeightsError) throw error;
    const missing = errorCode(error) === 'ENOENT';
    const near = missing ? nearest(basename(path), await readdir(dirname(path)).catch(() => [])) : undefined;
    const hint = near === undefined ? '' : `. Did you mean '${near}'?`;
    throw new WeightsError(`${path}: ${missing && near ? 'there is no such file' : describeFileError(error)}${hint || '.'}`, { cause: error });
  }
}

async function ordinaryFile(path: string): Promise<{ size: number }> {
  const info = await stat(path);
  if (info.isDirectory()) throw new WeightsError(`${path}: is a folder, not a weights file. Name a file in it.`);
  if (!info.isFile()) throw new WeightsError(`${path}: is not an ordinary file. Copy what it holds into one.`);
  if (info.size === 0) throw new WeightsError(`${path}: is empty (0 bytes). Download or copy it again.`);
  return { size: info.size };
}

function fileSource(path: string, size: number, handle: FileHandle): ByteSource & { close(): Promise<void> } {
  return {
    name: path,
    size,
    read: async (offset, length) => {
      const bytes = new Uint8Array(length);
      let done = 0;
      while (done < length) {
        const { bytesRead } = await handle.read(bytes, done, Math.min(MAX_READ, length - done), offset + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return bytes.subarray(0, done);
    },
    close: () => handle.close(),
  };
}
