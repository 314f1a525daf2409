/** The bench's host in Node: engines are processes, and what they read lies in files. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { available, startEngine, REGISTRY } from './engines.mjs';
import { concluded, facts } from './facts.mjs';
import { writeFiles } from './files.mjs';

/** `dir`: a folder for files, which the caller removes. */
export function nodeHost(dir) {
  return {
    available,
    startEngine,
    facts: (names, suite, { from }) => facts({ packages: names.flatMap((name) => REGISTRY[name].packages), built: from === 'dist' && suite !== 'kernels' }),
    concluded,
    async modelConfig({ depth, batch, size, classes, seed, ...rest }, names, options) {
      const folder = join(dir, `${depth}-${batch}-${size}-${classes}`);
      mkdirSync(folder, { recursive: true });
      const labels = await writeFiles(folder, { depth, batch, size, classes, seed, formats: names, from: options.from });
      return { dir: folder, model: { depth, batch, size, classes }, labels, ...rest, unchecked: Boolean(options.unchecked), from: options.from };
    },
  };
}
