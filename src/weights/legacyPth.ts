/**
 * PyTorch checkpoints before 1.6: four pickles (magic number, protocol, machine, the structure), a fifth with the
 * storage keys, then each storage as an element count and its bytes, always little-endian.
 * Layout: `_legacy_save` in torch/serialization.py.
 */
import { WeightsError } from '../errors';
import { DTYPE_SIZE } from '../hostTensor';
import { quote, readRange } from './byteSource';
import type { ByteSource } from './byteSource';
import { PickleEnd, PyList, unpickle } from './pickle';
import type { PickleValue } from './pickle';
import { MAX_PICKLE, torchFile } from './pth';
import { TorchHost } from './torchPickle';
import type { WeightsFile } from './weightsFile';

const MAGIC = 0x1950a86a20f9469cfc6cn;
const PROTOCOL = 1001;
const FIRST_WINDOW = 1 << 20;
const MAX_STORAGES = 50_000;

interface Pickles {
  readonly host: TorchHost;
  readonly root: PickleValue;
  readonly keys: PickleValue;
  /** First byte after the pickles. */
  readonly end: number;
}

/** Opens a file that begins with a pickle. @throws WeightsError when it is not PyTorch's, damaged or hostile. */
export async function openLegacyPth(source: ByteSource): Promise<WeightsFile> {
  const { host, root, keys, end } = await readPickles(source);
  const damaged = (problem: string): WeightsError =>
    new WeightsError(`${source.name}: ${problem}: the file is damaged. Download or copy it again.`);
  if (!(keys instanceof PyList) || keys.items.length > MAX_STORAGES) throw damaged('it has no list of storages');
  /** First data byte of each storage. */
  const starts = new Map<string, number>();
  let at = end;
  for (const key of keys.items) {
    const storage = typeof key === 'string' ? host.storages.get(key) : undefined;
    if (!storage || starts.has(storage.key)) throw damaged('its list of storages does not fit its tensors');
    const bytes = await readRange(source, at, 8, `the size of storage ${quote(storage.key)}`);
    const view = new DataView(bytes.buffer, bytes.byteOffset, 8);
    const numel = view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32;
    if (numel !== storage.rootNumel) {
      throw damaged(`storage ${quote(storage.key)} has ${numel} elements where ${storage.rootNumel} are announced`);
    }
    starts.set(storage.key, at + 8);
    at += 8 + numel * DTYPE_SIZE[storage.dtype];
  }
  if (starts.size !== host.storages.size) throw damaged('it uses storages that it does not list');
  if (at > source.size) {
    throw new WeightsError(`${source.name}: should have ${at} bytes but has ${source.size}: it is truncated. Download or copy it again.`);
  }
  return torchFile(source, 'pth-legacy', root, (key, start, length) =>
    readRange(source, (starts.get(key) ?? NaN) + start, length, `storage ${quote(key)}`), false);
}

/** The pickles' length is not written down: read a window, and a larger one when it ends inside a pickle. */
async function readPickles(source: ByteSource): Promise<Pickles> {
  for (let window = Math.min(source.size, FIRST_WINDOW); ; window = Math.min(source.size, window * 8)) {
    const bytes = await readRange(source, 0, window, 'the pickled structure');
    try {
      return parsePickles(bytes, source.name);
    } catch (error) {
      if (!(error instanceof PickleEnd) || window === source.size) throw error;
      if (window >= MAX_PICKLE) throw new WeightsError(`${source.name}: its pickle is over ${MAX_PICKLE} bytes: not a checkpoint of tensors.`);
    }
  }
}

function parsePickles(bytes: Uint8Array, file: string): Pickles {
  const host = new TorchHost(file);
  const magic = unpickle(bytes, 0, host, file);
  if (magic.value !== MAGIC) {
    throw new WeightsError(`${file}: is a Python pickle, but not one of PyTorch's. Save it with torch.save(model.state_dict(), path).`);
  }
  const protocol = unpickle(bytes, magic.end, host, file);
  if (protocol.value !== PROTOCOL) {
    throw new WeightsError(`${file}: is of PyTorch's old protocol ${String(protocol.value)}, not ${PROTOCOL}. Save it again with a newer PyTorch.`);
  }
  const machine = unpickle(bytes, protocol.end, host, file);
  const root = unpickle(bytes, machine.end, host, file);
  const keys = unpickle(bytes, root.end, host, file);
  return { host, root: root.value, keys: keys.value, end: keys.end };
}
