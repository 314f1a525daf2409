/**
 * Random access to the bytes of a weights file, wherever they lie: a file in Node, a Blob a user dropped on a page,
 * or an array in memory. Readers ask for ranges, so that a 100 MB file is never held whole only to read its header.
 */
import { GraftError, WeightsError } from '../errors';

/** Bytes that can be read by range. `name` is used in messages and, by its extension, to check the format. */
export interface ByteSource {
  readonly name: string;
  /** Bytes in all. */
  readonly size: number;
  /** Exactly `length` bytes from `offset`, in an array of their own or one the caller may not write to. */
  read(offset: number, length: number): Promise<Uint8Array>;
  close?(): Promise<void>;
}

/** A source over bytes in memory; ranges are views, not copies. */
export function bytesSource(bytes: Uint8Array, name = 'weights'): ByteSource {
  return {
    name,
    size: bytes.byteLength,
    read: (offset, length) => Promise.resolve(bytes.subarray(offset, offset + length)),
  };
}

/** A source over a Blob or File of the browser (or of Node). The name defaults to the File's. */
export function blobSource(blob: Blob, name?: string): ByteSource {
  return {
    name: name ?? ('name' in blob && typeof blob.name === 'string' ? blob.name : 'weights'),
    size: blob.size,
    read: async (offset, length) => new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer()),
  };
}

/**
 * Reads a range that the file itself named, so the range is not to be trusted.
 * @throws WeightsError when it reaches past the end, or when the bytes cannot be read or held.
 */
export async function readRange(source: ByteSource, offset: number, length: number, what: string): Promise<Uint8Array> {
  if (!(offset >= 0 && length >= 0 && offset + length <= source.size)) {
    throw new WeightsError(
      `${source.name}: ${what} lies at bytes ${offset} to ${offset + length}, but the file has ${source.size}: ` +
        'it is truncated or damaged. Download or copy it again.',
    );
  }
  let bytes: Uint8Array;
  try {
    bytes = await source.read(offset, length);
  } catch (cause) {
    if (cause instanceof GraftError) throw cause;
    const reason = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
    throw new WeightsError(`${source.name}: cannot read ${what} (${length} bytes): ${reason}`, { cause });
  }
  if (bytes.byteLength !== length) {
    throw new WeightsError(`${source.name}: got ${bytes.byteLength} of ${length} bytes of ${what}: the file changed while it was read.`);
  }
  return bytes;
}

/** A name that came out of a file, made fit for a message: quoted, on one line, of bounded length. */
export function quote(name: string): string {
  const shown = name.length > 100 ? `${name.slice(0, 97)}...` : name;
  return `'${JSON.stringify(shown).slice(1, -1)}'`;
}

/** Zeroed bytes of a length that a file named. @throws WeightsError when there is not that much memory. */
export function allocate(length: number, file: string, what: string): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(length);
  } catch (cause) {
    throw new WeightsError(`${file}: ${what} needs ${length} bytes of memory, which are not to be had.`, { cause });
  }
}
