/** `graft fetch`: published weights into the user's cache. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { UsageError } from '../../errors';
import { cacheDir } from '../../node/cacheDir';
import { fetchWeights } from '../../node/fetchWeights';
import { PUBLISHED_WEIGHTS } from '../../weights/manifest';
import { fetchProgress } from '../fetchProgress';
import { onInterrupt } from '../interrupt';
import { Terminal, bold, columns, dim } from '../terminal';

export interface FetchFlags {
  readonly list?: boolean;
  readonly from?: string;
  readonly json?: boolean;
}

export async function fetchCommand(name: string | undefined, flags: FetchFlags): Promise<number> {
  const terminal = new Terminal();
  if (flags.list) return list(terminal, flags);
  if (name === undefined) throw new UsageError("fetch needs a name, such as resnet18; 'graft fetch --list' shows them all");
  const interruption = onInterrupt(() => undefined);
  try {
    const { path, weights, cached } = await fetchWeights(name, {
      ...fetchProgress(terminal), signal: interruption.signal, ...(flags.from !== undefined && { baseUrl: flags.from }),
    });
    if (flags.json) terminal.line(JSON.stringify({ name: weights.name, path, cached }, null, 2));
    else terminal.line(`  ${bold(weights.name)} ${cached ? 'was there already' : 'is there'}, its hash checked: ${path}`);
    return 0;
  } catch (error) {
    if (!interruption.signal.aborted) throw error;
    terminal.note('graft: interrupted; what was received is kept, and the next fetch goes on from there');
    return interruption.status;
  } finally {
    interruption.restore();
  }
}

async function list(terminal: Terminal, { json = false }: FetchFlags): Promise<number> {
  const folder = join(cacheDir(), 'weights');
  const rows = await Promise.all(PUBLISHED_WEIGHTS.map(async (weights) => ({
    ...weights, here: (await stat(join(folder, weights.file)).catch(() => undefined)) !== undefined,
  })));
  if (json) {
    terminal.line(JSON.stringify(rows.map(({ name, arch, isDefault, file, url, sizeMiB, acc1, here }) => ({ name, architecture: arch, default: isDefault, file, url, sizeMiB, acc1, here })), null, 2));
    return 0;
  }
  const cells = rows.map(({ name, arch, isDefault, enumName, sizeMiB, acc1, here }) => [name, isDefault ? arch : '', `${sizeMiB.toFixed(0)} MB`, `${acc1.toFixed(1)} %`, enumName, here ? 'here' : '']);
  const [head, ...body] = columns([['name', 'also', 'size', 'top 1', "torchvision's name", ''], ...cells], [2, 3]);
  terminal.line(dim(`  ${head}`));
  for (const row of body) terminal.line(`  ${row}`);
  terminal.line(dim(`  Kept in ${folder}`));
  return 0;
}
