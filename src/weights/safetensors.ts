/**
 * safetensors: eight bytes of header length, a JSON header, then the tensors' bytes end to end.
 * Format: https://github.com/huggingface/safetensors#format. The header comes from a stranger, so every number in it
 * is checked before it is used, and the tensors must cover the data exactly: no overlap, no hole, no rest.
 */
import { ShapeError, WeightsError, formatShape } from '../errors';
import { DTYPE_SIZE, sizeOf } from '../hostTensor';
import type { Dtype, HostTensor } from '../hostTensor';
import { quote, readRange } from './byteSource';
import type { ByteSource } from './byteSource';
import { arrayFromBytes, convertFloat, holds } from './tensorBytes';
import { entryOf } from './weightsFile';
import type { WeightsFile } from './weightsFile';

/** The reference implementation's limit on the header. */
const MAX_HEADER = 100_000_000;

interface Entry {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** First byte, and the byte after the last, from the start of the data. */
  readonly begin: number;
  readonly end: number;
}

/** Opens a safetensors file. @throws WeightsError when it is truncated, damaged or not safetensors. */
export async function openSafetensors(source: ByteSource): Promise<WeightsFile> {
  const fail = (problem: string): WeightsError => new WeightsError(`${source.name}: ${problem}`);
  if (source.size < 8) {
    throw fail(`${source.size} bytes is too short for safetensors: the file is truncated. Download or copy it again.`);
  }
  const lengthBytes = await readRange(source, 0, 8, 'the header length');
  const lengthView = new DataView(lengthBytes.buffer, lengthBytes.byteOffset, 8);
  const headerSize = lengthView.getUint32(0, true) + lengthView.getUint32(4, true) * 2 ** 32;
  if (headerSize > MAX_HEADER) {
    throw fail(`its header would be ${headerSize} bytes (limit ${MAX_HEADER}): not a safetensors file, or damaged.`);
  }
  const header = await readRange(source, 8, headerSize, 'the safetensors header');
  const dataStart = 8 + headerSize;
  const { entries, metadata } = parseHeader(header, source.size - dataStart, fail);
  return {
    name: source.name,
    format: 'safetensors',
    metadata,
    names: [...entries.keys()],
    notes: [],
    info: (name) => {
      const { dtype, shape } = entryOf(entries, name, source.name);
      return { dtype, shape };
    },
    read: async (name) => {
      const { dtype, shape, begin, end } = entryOf(entries, name, source.name);
      const bytes = await readRange(source, dataStart + begin, end - begin, `tensor ${quote(name)}`);
      return { dtype, shape, data: arrayFromBytes(dtype, bytes) };
    },
    close: async () => source.close?.(),
  };
}

type Fail = (problem: string) => WeightsError;

function parseHeader(bytes: Uint8Array, dataSize: number, fail: Fail) {
  let text: string;
  let json: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    json = JSON.parse(text);
  } catch {
    throw fail('its safetensors header is not JSON: the file is damaged, or of another format.');
  }
  if (!isRecord(json)) throw fail('its safetensors header is not a JSON object: the file is damaged, or of another format.');
  const metadata: Record<string, string> = Object.create(null) as Record<string, string>;
  const entries = new Map<string, Entry>();
  // JSON.parse drops the first of two equal keys and moves keys such as "0" to the front; the text knows better.
  for (const name of topLevelKeys(text, fail)) {
    const value = json[name];
    if (name !== '__metadata__') {
      entries.set(name, parseEntry(name, value, dataSize, fail));
      continue;
    }
    if (!isRecord(value)) throw fail('its __metadata__ is not an object of strings.');
    for (const [key, item] of Object.entries(value)) {
      if (typeof item !== 'string') throw fail(`its __metadata__ entry ${quote(key)} is not a string.`);
      metadata[key] = item;
    }
  }
  checkCover(entries, dataSize, fail);
  return { entries, metadata };
}

function parseEntry(name: string, value: unknown, dataSize: number, fail: Fail): Entry {
  const label = `tensor ${quote(name)}`;
  if (!isRecord(value)) throw fail(`${label} has no description.`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== 'string' || !isDtype(dtype)) {
    throw fail(`${label} has type ${quote(String(dtype))}, which Graft does not read. It reads ${Object.keys(DTYPE_SIZE).join(', ')}.`);
  }
  if (!isCounts(shape)) throw fail(`${label} has no valid shape.`);
  if (!isCounts(offsets) || offsets.length !== 2) throw fail(`${label} has no valid data_offsets.`);
  const [begin, end] = offsets;
  if (begin > end || end > dataSize) {
    throw fail(
      `${label} lies at data bytes ${begin} to ${end}, but there are ${dataSize}: the file is truncated or damaged. Download or copy it again.`,
    );
  }
  // A product with a zero in it must not pass through infinity.
  const size = shape.includes(0) ? 0 : sizeOf(shape) * DTYPE_SIZE[dtype];
  if (size !== end - begin) {
    throw fail(`${label} is ${dtype} ${formatShape(shape.slice(0, 16))}, ${size} bytes, but has ${end - begin}: the file is damaged.`);
  }
  return { dtype, shape, begin, end };
}

/** Tensors sorted by place must follow one another without gap from the first byte to the last. */
function checkCover(entries: Map<string, Entry>, dataSize: number, fail: Fail): void {
  const sorted = [...entries].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  let at = 0;
  for (const [name, { begin, end }] of sorted) {
    if (begin < at) throw fail(`tensor ${quote(name)} overlaps the tensor before it (byte ${begin} of the data): the file is damaged.`);
    if (begin > at) throw fail(`data bytes ${at} to ${begin}, before tensor ${quote(name)}, belong to no tensor: the file is damaged.`);
    at = end;
  }
  if (at !== dataSize) throw fail(`the last ${dataSize - at} bytes belong to no tensor: the file is damaged.`);
}

/** Keys of the outermost object of text known to be valid JSON, in the order written. */
function topLevelKeys(text: string, fail: Fail): Set<string> {
  const keys = new Set<string>();
  let depth = 0;
  let string: [number, number] = [0, 0];
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (char === '{' || char === '[') depth++;
    else if (char === '}' || char === ']') depth--;
    else if (char === '"') {
      const start = i++;
      while (text[i] !== '"') i += text[i] === '\\' ? 2 : 1;
      string = [start, i + 1];
    } else if (char === ':' && depth === 1) {
      const key = JSON.parse(text.slice(...string)) as string;
      if (keys.has(key)) throw fail(`its header names ${quote(key)} twice: the file is damaged.`);
      keys.add(key);
    }
  }
  return keys;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isDtype(name: string): name is Dtype {
  return Object.hasOwn(DTYPE_SIZE, name);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}

export interface SafetensorsOptions {
  /** Strings to keep beside the tensors. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Store floating-point tensors in this type; integers stay. Default: each as it is. */
  readonly dtype?: 'F32' | 'F16' | 'BF16';
}

/**
 * The bytes of a safetensors file. The header lists tensors in the order given; the data puts wider types first, so
 * that every tensor is aligned, as the reference implementation does.
 * @throws ShapeError when an array does not fit its shape or dtype, DtypeError when a value does not fit `dtype`,
 * WeightsError when a name is reserved.
 */
export function serializeSafetensors(
  tensors: ReadonlyMap<string, HostTensor> | Readonly<Record<string, HostTensor>>,
  options: SafetensorsOptions = {},
): Uint8Array<ArrayBuffer> {
  const given: [string, HostTensor][] = tensors instanceof Map ? [...tensors] : Object.entries(tensors);
  const list = given.map(([name, tensor]) => {
    checkTensor(name, tensor);
    return { name, tensor: options.dtype ? convertFloat(tensor, options.dtype, `tensor ${quote(name)}`) : tensor, begin: 0 };
  });
  let dataSize = 0;
  for (const item of [...list].sort((a, b) => DTYPE_SIZE[b.tensor.dtype] - DTYPE_SIZE[a.tensor.dtype])) {
    item.begin = dataSize;
    dataSize += item.tensor.data.byteLength;
  }
  const fields = list.map(({ name, tensor: { dtype, shape, data }, begin }) =>
    `${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [begin, begin + data.byteLength] })}`);
  if (options.metadata) fields.unshift(`"__metadata__":${JSON.stringify(options.metadata)}`);
  const header = new TextEncoder().encode(`{${fields.join(',')}}`);
  // Spaces after the header bring the data to a multiple of eight bytes.
  const headerSize = Math.ceil(header.byteLength / 8) * 8;
  const out = new Uint8Array(8 + headerSize + dataSize);
  new DataView(out.buffer).setUint32(0, headerSize, true);
  out.fill(0x20, 8, 8 + headerSize);
  out.set(header, 8);
  for (const { tensor: { data }, begin } of list) {
    out.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), 8 + headerSize + begin);
  }
  return out;
}

function checkTensor(name: string, { dtype, shape, data }: HostTensor): void {
  if (name === '__metadata__') throw new WeightsError("serializeSafetensors: the name '__metadata__' is reserved. Rename the tensor.");
  if (!isCounts(shape) || data.length !== sizeOf(shape) || !holds(dtype, data)) {
    throw new ShapeError(
      `serializeSafetensors: tensor ${quote(name)} is ${dtype} ${formatShape(shape)} but its array is a ${data.constructor.name} of ${data.length}.`,
    );
  }
}
