/** Where this package lies on disk: it ships files (the base, the sample) beside its code. Node only. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { GraftError } from '../errors';

const NAME = 'graft-gpu';

interface PackageFacts {
  readonly root: string;
  readonly version: string;
}

let known: PackageFacts | undefined;

/** Looked for upwards from this module, which lies in `src/node` or, built, in `dist`. */
function packageFacts(): PackageFacts {
  if (known) return known;
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const file = join(folder, 'package.json');
    if (existsSync(file)) {
      const { name, version } = JSON.parse(readFileSync(file, 'utf8')) as { name?: string; version?: string };
      if (name === NAME) return (known = { root: folder, version: version ?? '0' });
    }
    if (folder === dirname(folder)) throw new GraftError(`the folder of the package '${NAME}' was not found above ${fileURLToPath(import.meta.url)}; install it again`);
  }
}

/** The package's folder, absolute. @throws GraftError when the code was bundled away from its package. */
export function packageRoot(): string {
  return packageFacts().root;
}

/** The package's version. */
export function packageVersion(): string {
  return packageFacts().version;
}
