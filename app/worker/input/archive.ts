/** Pictures out of a zip archive, one at a time, within bounds: an archive's claims about itself are not to be trusted. */
import { WeightsError } from '../../../src/index';
import { blobSource } from '../../../src/weights/byteSource';
import { ZipArchive } from '../../../src/weights/zip';
import type { IncomingFile } from '../../shared/protocol';

/** Nothing that unpacks to more is tried. */
export const MAX_ENTRY_BYTES = 256 * 2 ** 20;
const MAX_ENTRIES = 50_000;

export interface ArchivedFile {
  readonly path: string;
  readonly bytes: number;
  read(): Promise<Blob>;
}

export async function isArchive({ path, blob }: IncomingFile): Promise<boolean> {
  if (blob.size < 22) return false;
  if (/\.zip$/i.test(path) || /^application\/(x-)?zip/.test(blob.type)) return true;
  const head = new Uint8Array(await blob.slice(0, 4).arrayBuffer());
  return head[0] === 0x50 && head[1] === 0x4b && head[2] === 3 && head[3] === 4;
}

/** @throws WeightsError in plain words, when it is damaged, encrypted or hostile. */
export async function openArchive(blob: Blob, name: string): Promise<ArchivedFile[]> {
  let archive: ZipArchive;
  try {
    archive = await ZipArchive.open(blobSource(blob, name));
  } catch (error) {
    const message = (error as Error).message;
    if (/encrypted|zip method/.test(message)) throw new WeightsError(message.replace(/ Save the checkpoint again.*/, ' Pack it again without a password, the ordinary way.'), { cause: error });
    throw error;
  }
  const files = [...archive.entries.values()].filter((entry) => !entry.name.endsWith('/'));
  if (files.length > MAX_ENTRIES) throw new WeightsError(`${name}: holds ${files.length} files, past the ${MAX_ENTRIES} that are read of one archive; add its folders one by one`);
  return files.map((entry) => ({
    path: entry.name,
    bytes: entry.size,
    read: async () => {
      if (entry.size > MAX_ENTRY_BYTES) throw new WeightsError(`it unpacks to ${Math.round(entry.size / 2 ** 20)} MB, past the ${MAX_ENTRY_BYTES / 2 ** 20} MB that a picture may have`);
      return new Blob([(await archive.read(entry)) as Uint8Array<ArrayBuffer>]);
    },
  }));
}
