/**
 * PyTorch checkpoints since 1.6: a zip archive with the pickled structure in `<name>/data.pkl` and each storage in
 * `<name>/data/<key>`. Layout: torch/serialization.py and caffe2/serialize/inline_container.h.
 */
import { WeightsError } from '../errors';
import { DTYPE_SIZE } from '../hostTensor';
import { entryOf } from './weightsFile';
import type { WeightsFile, WeightsFormat } from './weightsFile';
import { quote } from './byteSource';
import type { ByteSource } from './byteSource';
import { unpickle } from './pickle';
import type { PickleValue } from './pickle';
import { readTensor } from './stridedTensor';
import type { StorageReader } from './stridedTensor';
import { TorchHost } from './torchPickle';
import { findStateDict } from './torchStateDict';
import { ZipArchive } from './zip';

/** Structure alone, no tensor data: a ResNet-152 needs about 100 kB. */
export const MAX_PICKLE = 64 << 20;

/** Opens a zip that may be a PyTorch checkpoint. @throws WeightsError when it is something else, damaged or hostile. */
export async function openPth(source: ByteSource): Promise<WeightsFile> {
  const archive = await ZipArchive.open(source);
  const prefix = findPrefix(archive);
  const pickle = entryOf(archive.entries, `${prefix}data.pkl`, source.name);
  if (pickle.size > MAX_PICKLE) throw new WeightsError(`${source.name}: its pickle is ${pickle.size} bytes (limit ${MAX_PICKLE}): not a checkpoint of tensors.`);
  const order = archive.entries.get(`${prefix}byteorder`);
  const bigEndian = order !== undefined && new TextDecoder().decode(await archive.read(order, 0, Math.min(order.size, 16))).trim() === 'big';
  const host = new TorchHost(source.name);
  const { value } = unpickle(await archive.read(pickle), 0, host, source.name);
  for (const [key, storage] of host.storages) {
    const entry = archive.entries.get(`${prefix}data/${key}`);
    const needed = storage.rootNumel * DTYPE_SIZE[storage.dtype];
    if (!entry || entry.size < needed) {
      const has = entry ? `has ${entry.size} bytes` : 'is not in the archive';
      throw new WeightsError(`${source.name}: storage ${quote(key)} should be ${needed} bytes but ${has}: the file is damaged. Download or copy it again.`);
    }
  }
  const readStorage: StorageReader = (key, start, length) =>
    archive.read(entryOf(archive.entries, `${prefix}data/${key}`, source.name), start, length);
  return torchFile(source, 'pth', value, readStorage, bigEndian);
}

/** The folder inside the archive that holds `data.pkl`; PyTorch names it after the file. */
function findPrefix({ source, entries }: ZipArchive): string {
  const names = [...entries.keys()];
  const pickles = names.filter((name) => name === 'data.pkl' || /^[^/]+\/data\.pkl$/.test(name));
  if (pickles.length === 1) {
    const prefix = pickles[0].slice(0, -'data.pkl'.length);
    if (!entries.has(`${prefix}constants.pkl`)) return prefix;
    throw new WeightsError(`${source.name}: is a TorchScript program, not weights alone. In PyTorch: torch.save(torch.jit.load(path).state_dict(), new_path).`);
  }
  const what = names.some((name) => name.endsWith('.npy')) ? 'a NumPy archive (.npz)'
    : names.includes('model.weights.h5') ? 'a Keras model'
    : pickles.length > 1 ? `a zip with ${pickles.length} files data.pkl`
    : `a zip archive of ${names.length} files without data.pkl`;
  throw new WeightsError(`${source.name}: is ${what}, not a PyTorch checkpoint. Graft reads .safetensors and files of torch.save.`);
}

/** The file's face, once its pickle is read: the same for both of PyTorch's formats. */
export function torchFile(source: ByteSource, format: WeightsFormat, root: PickleValue, readStorage: StorageReader, bigEndian: boolean): WeightsFile {
  const { tensors, notes } = findStateDict(root, source.name);
  return {
    name: source.name,
    format,
    metadata: {},
    names: [...tensors.keys()],
    notes,
    info: (name) => {
      const { storage, shape } = entryOf(tensors, name, source.name);
      return { dtype: storage.dtype, shape };
    },
    read: async (name) => readTensor(source.name, name, entryOf(tensors, name, source.name), readStorage, bigEndian),
    close: async () => source.close?.(),
  };
}
