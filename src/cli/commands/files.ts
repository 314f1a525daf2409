/** `graft inspect` and `graft convert`: weights files, without a GPU. */
import { join, resolve } from 'node:path';
import { UsageError } from '../../errors';
import { DTYPE_SIZE, sizeOf, type HostTensor } from '../../hostTensor';
import { openFile } from '../../node/fileSource';
import { MODEL_WEIGHTS, pathKind } from '../../node/modelDir';
import { writeFileAtomic } from '../../node/writeFile';
import { bytes, count, counted } from '../../report/format';
import { detectArchitecture, shapesOf, unknownArchitecture } from '../../weights/architecture';
import { withTorchvisionNames } from '../../weights/names';
import { openWeights } from '../../weights/open';
import { serializeSafetensors } from '../../weights/safetensors';
import type { WeightsFile } from '../../weights/weightsFile';
import { Terminal, bold, columns, dim, oneLine } from '../terminal';

export async function inspect(path: string, { json = false }: { readonly json?: boolean }): Promise<number> {
  const terminal = new Terminal();
  const file = await openWeights(await openFile((await pathKind(path)) === 'folder' ? join(path, MODEL_WEIGHTS) : path));
  const tensors = file.names.map((name) => {
    const { dtype, shape } = file.info(name);
    return { name, dtype, shape: [...shape], elements: sizeOf(shape), bytes: sizeOf(shape) * DTYPE_SIZE[dtype] };
  });
  const elements = tensors.reduce((sum, tensor) => sum + tensor.elements, 0);
  const size = tensors.reduce((sum, tensor) => sum + tensor.bytes, 0);
  const renamed = withTorchvisionNames(file);
  const shapes = shapesOf(renamed);
  const found = detectArchitecture(shapes);
  const { format, metadata } = file;
  await file.close();
  if (json) {
    const architecture = found ? { name: found.arch, width: found.width, classes: found.numClasses ?? null } : null;
    terminal.line(JSON.stringify({ file: path, format, architecture, tensors, elements, bytes: size, metadata, notes: renamed.notes }, null, 2));
    return 0;
  }
  const formats = { safetensors: 'safetensors', pth: 'PyTorch (zip)', 'pth-legacy': 'PyTorch before 1.6' } as const;
  const network = found
    ? `${bold(found.arch)}${found.width === 64 ? '' : ` of width ${found.width}`}, ${found.numClasses === undefined ? 'no last layer' : counted(found.numClasses, 'class')}`
    : `none that Graft knows: ${unknownArchitecture(shapes)}`;
  terminal.line(`  ${dim('format')}    ${formats[format]}`);
  terminal.line(`  ${dim('network')}   ${oneLine(network)}`);
  terminal.line(`  ${dim('holds')}     ${counted(tensors.length, 'tensor')}, ${counted(elements, 'value')}, ${bytes(size)}`);
  for (const note of renamed.notes) terminal.line(`  ${dim('note')}      ${oneLine(note)}`);
  for (const [key, value] of Object.entries(metadata)) terminal.line(`  ${dim('metadata')}  ${oneLine(key)}: ${clip(oneLine(value))}`);
  terminal.line();
  const rows = tensors.map(({ name, dtype, shape, elements: n }) => [oneLine(name), dtype, shape.length === 0 ? 'scalar' : shape.join(' x '), count(n)]);
  for (const row of columns(rows, [3])) terminal.line(`  ${row}`);
  return 0;
}

function clip(text: string): string {
  return text.length > 100 ? `${text.slice(0, 99)}…` : text;
}

export interface ConvertFlags {
  readonly dtype?: 'f32' | 'f16' | 'bf16';
  readonly force?: boolean;
}

/** PyTorch or safetensors in, safetensors out, names as they are. */
export async function convert(from: string, to: string, { dtype, force = false }: ConvertFlags): Promise<number> {
  const terminal = new Terminal();
  if (!/\.safetensors$/i.test(to)) throw new UsageError(`convert writes safetensors, so OUT must end in .safetensors, got '${to}'`);
  if (resolve(from) === resolve(to)) throw new UsageError('convert: IN and OUT are the same file; name another OUT');
  const kind = await pathKind(to);
  if (kind === 'folder') throw new UsageError(`${to} is a folder; name a file`);
  if (kind === 'file' && !force) throw new UsageError(`${to} exists already; use --force to replace it, or name another OUT`);
  const file: WeightsFile = await openWeights(await openFile(from));
  const tensors = new Map<string, HostTensor>();
  for (const name of file.names) {
    tensors.set(name, await file.read(name));
    terminal.live(`  reading ${tensors.size}/${file.names.length} tensors`);
  }
  const metadata = { format: 'pt', ...file.metadata };
  const written = serializeSafetensors(tensors, { metadata, ...(dtype && { dtype: dtype.toUpperCase() as 'F32' | 'F16' | 'BF16' }) });
  await file.close();
  await writeFileAtomic(to, written);
  for (const note of file.notes) terminal.note(`graft: note: ${note}`);
  terminal.line(`  Wrote ${bold(to)}: ${counted(tensors.size, 'tensor')}, ${bytes(written.byteLength)}${dtype ? `, ${dtype}` : ''}`);
  return 0;
}
