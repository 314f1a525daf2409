/**
 * What a PyTorch checkpoint's pickle may name, and what it means here: tensors become descriptions of a storage and a
 * layout, containers become containers. Everything else is refused by name. Nothing from the file is ever executed.
 * Counterparts: torch/_utils.py (`_rebuild_*`), torch/serialization.py (`persistent_load`).
 */
import { WeightsError, formatShape } from '../errors';
import type { Dtype } from '../hostTensor';
import { quote } from './byteSource';
import { PyDict, PyGlobal, PyList, PyObject, PyTuple } from './pickle';
import type { PickleHost, PickleValue } from './pickle';

const STORAGE_DTYPE: Readonly<Record<string, Dtype>> = {
  'torch.DoubleStorage': 'F64', 'torch.FloatStorage': 'F32', 'torch.HalfStorage': 'F16', 'torch.BFloat16Storage': 'BF16',
  'torch.LongStorage': 'I64', 'torch.IntStorage': 'I32', 'torch.ShortStorage': 'I16', 'torch.CharStorage': 'I8',
  'torch.ByteStorage': 'U8', 'torch.BoolStorage': 'BOOL',
};

/** Functions and classes whose calls are understood. `set` and `Counter` come with training checkpoints. */
const CALLABLE = new Set([
  'collections.OrderedDict', 'collections.Counter', 'builtins.set', '__builtin__.set',
  'torch.Size', 'torch.device', 'torch.nn.parameter.Parameter',
  'torch._utils._rebuild_tensor', 'torch._utils._rebuild_tensor_v2',
  'torch._utils._rebuild_parameter', 'torch._utils._rebuild_parameter_with_state',
]);

/** Plain values of the torch module that checkpoints mention in passing. */
const CONSTANTS = new Set([
  'float64', 'double', 'float32', 'float', 'float16', 'half', 'bfloat16', 'int64', 'long', 'int32', 'int', 'int16',
  'short', 'int8', 'uint8', 'bool', 'strided', 'contiguous_format', 'channels_last', 'preserve_format',
].map((name) => `torch.${name}`));

const MAX_RANK = 64;

/** A run of `numel` elements from element `base` of the storage saved under `key`, which has `rootNumel`. */
export class StorageRef extends PyObject {
  readonly kind = 'storage';
  readonly dtype: Dtype;
  readonly key: string;
  readonly numel: number;
  readonly base: number;
  readonly rootNumel: number;

  constructor(dtype: Dtype, key: string, numel: number, base: number, rootNumel: number) {
    super();
    this.dtype = dtype;
    this.key = key;
    this.numel = numel;
    this.base = base;
    this.rootNumel = rootNumel;
  }
}

/** A tensor as PyTorch describes it: element (i, j, ...) lies at offset + i * stride[0] + j * stride[1] + ... */
export class TensorRef extends PyObject {
  readonly kind = 'tensor';
  readonly storage: StorageRef;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly stride: readonly number[];

  constructor(storage: StorageRef, offset: number, shape: readonly number[], stride: readonly number[]) {
    super();
    this.storage = storage;
    this.offset = offset;
    this.shape = shape;
    this.stride = stride;
  }
}

/** A pickle host for checkpoints. Remembers every storage it meets, by key. */
export class TorchHost implements PickleHost {
  readonly storages = new Map<string, StorageRef>();
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  global(module: string, name: string): PyGlobal {
    const full = `${module}.${name}`;
    if (CALLABLE.has(full) || CONSTANTS.has(full) || Object.hasOwn(STORAGE_DTYPE, full)) return new PyGlobal(full);
    throw new WeightsError(
      `${this.#file}: its pickle asks for the Python global ${quote(full)}, which is not allowed: Graft runs no code from a file. ` +
        'If you trust the file, load it in PyTorch and write torch.save(model.state_dict(), path).',
    );
  }

  call(callee: PyGlobal, { items }: PyTuple): PickleValue {
    switch (callee.name) {
      case 'collections.OrderedDict': return this.#dict(items);
      case 'collections.Counter': return items[0] instanceof PyDict ? items[0] : new PyDict();
      case 'builtins.set': case '__builtin__.set': return items[0] instanceof PyList ? items[0] : new PyList();
      case 'torch.Size': return items[0] instanceof PyTuple ? items[0] : new PyTuple([]);
      case 'torch.device': return 'device';
      case 'torch._utils._rebuild_tensor': case 'torch._utils._rebuild_tensor_v2': return this.#tensor(items);
      case 'torch._utils._rebuild_parameter': case 'torch._utils._rebuild_parameter_with_state':
      case 'torch.nn.parameter.Parameter':
        if (items[0] instanceof TensorRef) return items[0];
    }
    throw this.#damaged(`calls ${quote(callee.name)} with arguments that do not fit`);
  }

  /** State carries attributes: a state dict's `_metadata`, or `requires_grad` of an old Parameter. None matter here. */
  build(object: PickleValue, state: PickleValue): void {
    if (object instanceof PyDict && state instanceof PyDict) return;
    if (object instanceof TensorRef && state instanceof PyTuple && state.items.length === 3) return;
    throw this.#damaged('sets the state of an object that has none');
  }

  /** `('storage', type, key, location, count)`, before 1.6 with a sixth item for a view: `(key, offset, count)`. */
  persistent(id: PickleValue): StorageRef {
    const [tag, type, key, , count, view] = id instanceof PyTuple ? id.items : [];
    const dtype = type instanceof PyGlobal && Object.hasOwn(STORAGE_DTYPE, type.name) ? STORAGE_DTYPE[type.name] : undefined;
    if (tag !== 'storage' || dtype === undefined || typeof key !== 'string' || !isCount(count)) {
      throw this.#damaged('describes a storage in a way PyTorch does not');
    }
    let [base, numel] = [0, count];
    if (view instanceof PyTuple) {
      const [, offset, size] = view.items;
      if (!isCount(offset) || !isCount(size) || offset + size > count) throw this.#damaged(`describes a view outside storage ${quote(key)}`);
      [base, numel] = [offset, size];
    }
    const storage = new StorageRef(dtype, key, numel, base, count);
    const known = this.storages.get(key);
    if (known && (known.dtype !== dtype || known.rootNumel !== count)) throw this.#damaged(`describes storage ${quote(key)} in two ways`);
    this.storages.set(key, storage);
    return storage;
  }

  #damaged(problem: string): WeightsError {
    return new WeightsError(`${this.#file}: its pickle ${problem}: the file is damaged. Download or copy it again.`);
  }

  /** Python 2 wrote an OrderedDict as a list of pairs; later Pythons set the items afterwards. */
  #dict(args: readonly PickleValue[]): PyDict {
    const dict = new PyDict();
    if (args.length === 0) return dict;
    if (!(args[0] instanceof PyList)) throw this.#damaged('makes an OrderedDict from what is not a list');
    // The pairs move out of the list, so that naming the same list again and again costs nothing.
    for (const pair of args[0].items.splice(0)) {
      const items = pair instanceof PyTuple || pair instanceof PyList ? pair.items : [];
      if (items.length !== 2) throw this.#damaged('makes an OrderedDict from what are not pairs');
      dict.entries.set(items[0], items[1]);
    }
    return dict;
  }

  /** `(storage, offset, shape, stride, ...)`; every element must lie inside the storage. */
  #tensor([storage, offset, shape, stride]: readonly PickleValue[]): TensorRef {
    if (!(storage instanceof StorageRef) || !isCount(offset) || !isCounts(shape) || !isCounts(stride) || shape.items.length !== stride.items.length) {
      throw this.#damaged('describes a tensor in a way PyTorch does not');
    }
    const extents = shape.items as number[];
    const steps = stride.items as number[];
    let last = offset;
    for (let axis = 0; axis < extents.length; axis++) last += (extents[axis] - 1) * steps[axis];
    if (!extents.includes(0) && !(last < storage.numel)) {
      throw this.#damaged(`has a tensor ${formatShape(extents)} of strides ${formatShape(steps)} at offset ${offset} outside its storage of ${storage.numel} elements`);
    }
    return new TensorRef(storage, offset, extents, steps);
  }
}

function isCount(value: PickleValue | undefined): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isCounts(value: PickleValue | undefined): value is PyTuple {
  return value instanceof PyTuple && value.items.length <= MAX_RANK && value.items.every(isCount);
}
