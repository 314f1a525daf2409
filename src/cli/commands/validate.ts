/** `graft validate`: the engine against fixtures of docs/fixtures.md. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { UsageError } from '../../errors';
import { describeFileError } from '../../node/fileErrors';
import { openFile } from '../../node/fileSource';
import { exitCode, formatVerdicts, verdictsToJson, type Verdict } from '../../validate/verdict';
import { validateFixture } from '../../validate/validate';
import { openWeights } from '../../weights/open';
import { gpuOf } from '../arguments';
import { Terminal, bar, oneLine } from '../terminal';

export interface ValidateFlags {
  readonly json?: boolean;
  readonly failures?: boolean;
  readonly gpu?: 'hardware' | 'software';
}

/** Exit status 0 when all pass, 1 when one fails, 2 when one could not be run. */
export async function validate(paths: readonly string[], flags: ValidateFlags): Promise<number> {
  const terminal = new Terminal();
  const files = await findFixtures(paths);
  const gpu = await gpuOf(flags)();
  const verdicts: Verdict[] = [];
  for (const path of files) {
    if (!flags.json) terminal.live(`  ${bar(verdicts.length / files.length)}  ${verdicts.length}/${files.length}  ${oneLine(path)}`);
    const source = openFile(path);
    verdicts.push(await validateFixture(gpu, source.then((opened) => openWeights(opened)), path));
    await source.then((opened) => opened.close(), () => undefined);
  }
  terminal.line(flags.json ? verdictsToJson(verdicts) : formatVerdicts(verdicts, { failuresOnly: flags.failures ?? false }));
  return exitCode(verdicts);
}

/** Files as they are named; of folders, every .safetensors file in them and below. */
async function findFixtures(paths: readonly string[]): Promise<string[]> {
  const files: string[] = [];
  for (const path of paths) {
    // A file that is not there is a verdict like any other; so is one of a strange kind.
    const folder = await stat(path).then((info) => info.isDirectory(), () => false);
    if (!folder) {
      files.push(path);
      continue;
    }
    let entries;
    try {
      entries = await readdir(path, { recursive: true, withFileTypes: true });
    } catch (error) {
      throw new UsageError(`validate: ${path} cannot be read: ${describeFileError(error)}`, { cause: error });
    }
    const found = entries
      .filter((entry) => !entry.isDirectory() && entry.name.endsWith('.safetensors'))
      .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
      .sort();
    if (found.length === 0) throw new UsageError(`validate: ${path} holds no .safetensors files`);
    files.push(...found);
  }
  return files;
}
