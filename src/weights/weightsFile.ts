/** What every reader of weights hands back, whatever the format on disk. */
import { WeightsError, nearest } from '../errors';
import type { Dtype, HostTensor } from '../hostTensor';
import { quote } from './byteSource';

export type WeightsFormat = 'safetensors' | 'pth' | 'pth-legacy';

export interface TensorInfo {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
}

/** An opened weights file: its table of contents is in memory, its tensors are read when asked for. */
export interface WeightsFile {
  /** The file's name, for messages. */
  readonly name: string;
  /** safetensors, PyTorch's zip, or PyTorch's format before 1.6. */
  readonly format: WeightsFormat;
  /** Free text that travels with the tensors (safetensors' `__metadata__`); empty for PyTorch files. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Tensor names as written in the file, in its order. */
  readonly names: readonly string[];
  /** What a user should know about how the file was understood, one sentence each. */
  readonly notes: readonly string[];
  /** @throws WeightsError for a name the file does not hold. */
  info(name: string): TensorInfo;
  /** Reads one tensor. @throws WeightsError for an unknown name, or bytes that cannot be read. */
  read(name: string): Promise<HostTensor>;
  /** Lets go of the file underneath. */
  close(): Promise<void>;
}

/** Looks `name` up in a file's table. @throws WeightsError naming the nearest tensor there is. */
export function entryOf<T>(table: ReadonlyMap<string, T>, name: string, file: string): T {
  const entry = table.get(name);
  if (entry !== undefined) return entry;
  const near = nearest(name, table.keys());
  throw new WeightsError(
    `${file}: no tensor ${quote(name)} among its ${table.size}.` + (near === undefined ? '' : ` Did you mean ${quote(near)}?`),
  );
}

/** Reads every tensor, in the file's order. Holds the whole file in memory. */
export async function readAll(file: WeightsFile): Promise<Map<string, HostTensor>> {
  const tensors = new Map<string, HostTensor>();
  for (const name of file.names) tensors.set(name, await file.read(name));
  return tensors;
}
