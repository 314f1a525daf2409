/** Where a run writes: a folder of its own, found writable before any work is done. */
import { rmSync } from 'node:fs';
import { readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { GraftError, UsageError } from '../errors';
import { describeFileError, errorCode } from '../node/fileErrors';
import { folderKind } from '../node/modelDir';
import { makeFolder } from '../node/writeFile';

/** Holds the process that writes into the folder. By its name, a folder with nothing else in it counts as empty. */
const LOCK = '.graft-run.tmp';

export interface OutOptions {
  /** What the user named, if anything. */
  readonly out: string | undefined;
  /** The name under `runs/` otherwise. */
  readonly name: string;
  readonly force: boolean;
  readonly resume: boolean;
}

/**
 * The folder of a run, made if need be. A named folder that holds a model already is refused unless `force` or
 * `resume`; one that holds other things, unless `force`. Without a name it is `runs/NAME`, or with `-2`, `-3`, … where
 * that is taken; with `resume`, the last of these. It is this process's until it ends: two runs in one folder would
 * overwrite each other's checkpoint and model.
 * @throws UsageError for a folder that is taken or another run's, GraftError for one that cannot be written to.
 */
export async function outFolder({ out, name, force, resume }: OutOptions): Promise<string> {
  const dir = out ?? (await defaultFolder(name, { force, resume }));
  await refuseRunning(dir);
  const kind = await folderKind(dir);
  if (kind === 'foreign' && !force) throw new UsageError(`${dir} is not empty and holds no model of Graft's; name another --out, or use --force to write beside what is there`);
  if ((kind === 'model' || kind === 'unfinished') && !force && !resume) {
    throw new UsageError(`${dir} holds ${kind === 'model' ? 'a model' : 'an unfinished run'} already; use --resume to go on with it, --force to replace it, or name another --out`);
  }
  await makeFolder(dir);
  await lock(dir);
  return dir;
}

async function lock(dir: string): Promise<void> {
  const path = join(dir, LOCK);
  const write = (): Promise<void> => writeFile(path, String(process.pid), { flag: 'wx' });
  try {
    await write().catch(async (error: unknown) => {
      if (errorCode(error) !== 'EEXIST') throw error;
      await refuseRunning(dir);
      await rm(path, { force: true }); // of a run that was killed
      await write();
    });
  } catch (error) {
    if (error instanceof UsageError) throw error;
    if (errorCode(error) !== 'EEXIST') await rm(path, { force: true }).catch(() => undefined);
    throw new GraftError(`cannot write to ${dir}: ${describeFileError(error)}.`, { cause: error });
  }
  process.once('exit', () => {
    try {
      rmSync(path, { force: true });
    } catch {
      // The disk has become read-only, or the folder is gone.
    }
  });
}

async function refuseRunning(dir: string): Promise<void> {
  const pid = Number(await readFile(join(dir, LOCK), 'utf8').catch(() => ''));
  if (!Number.isInteger(pid) || pid <= 0 || pid === process.pid || !isAlive(pid)) return;
  throw new UsageError(`${dir} is being written to by another run (process ${pid}); wait until it ends, or name another --out`);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0); // sends nothing
    return true;
  } catch (error) {
    return errorCode(error) === 'EPERM';
  }
}

async function defaultFolder(name: string, { force, resume }: { force: boolean; resume: boolean }): Promise<string> {
  const first = join('runs', name);
  if (force) return first;
  const taken = new Set(await readdir('runs').catch(() => [] as string[]));
  if (!taken.has(name)) return first;
  let number = 2;
  while (taken.has(`${name}-${number}`)) number++;
  if (resume) return number === 2 ? first : `${first}-${number - 1}`;
  return `${first}-${number}`;
}

/** A folder's or plan's name as part of a file name on any system. */
export function fileName(text: string): string {
  const clean = text.replace(/[\u0000-\u001f<>:"/\\|?*]+/g, '-').replace(/^[-.]+|[-. ]+$/g, '').slice(0, 80);
  return clean === '' ? 'run' : clean;
}

/** What a folder of images is called. */
export function folderName(path: string): string {
  return basename(resolve(path)) || 'images';
}
