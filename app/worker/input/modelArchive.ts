/** A saved model as it left the studio: one zip, of which the base takes the weights and the card. */
import { UsageError } from '../../../src/index';
import { blobSource } from '../../../src/weights/byteSource';
import { ZipArchive } from '../../../src/weights/zip';

/**
 * The files as they are; of a zip, `model.safetensors` and `model.json` in it.
 * @throws UsageError for a zip that holds no model; WeightsError for a damaged one.
 */
export async function unpackedModel(files: readonly File[]): Promise<readonly File[]> {
  const [file] = files;
  if (files.length !== 1 || !/\.zip$/i.test(file.name)) return files;
  const archive = await ZipArchive.open(blobSource(file, file.name));
  const inside = (name: string) => [...archive.entries.values()].find((entry) => entry.name.split('/').at(-1) === name);
  const weights = inside('model.safetensors');
  if (!weights || inside('project.json')) {
    throw new UsageError(`${file.name}: holds no model.safetensors, so it is no saved model${inside('project.json') ? '; it is a saved project: open it from the project menu' : ''}.`);
  }
  const card = inside('model.json');
  const unpacked = [weights, ...(card ? [card] : [])].map(async (entry) => new File([(await archive.read(entry)) as Uint8Array<ArrayBuffer>], entry.name.split('/').at(-1) ?? entry.name));
  return Promise.all(unpacked);
}
