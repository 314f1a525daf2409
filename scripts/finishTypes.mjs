/**
 * Makes the declarations that tsc wrote fit for every resolver: `module: nodenext`, as plain Node projects have it, wants
 * file extensions on relative imports, which our sources (resolved by a bundler) leave out. Also brings along the
 * hand-written declarations, which tsc does not copy.
 *
 *   node scripts/finishTypes.mjs [dist/types]
 */
import { cpSync, existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');
/** `from './x'`, `import './x'` and `import('./x')`. */
const RELATIVE = /(\bfrom\s*|\bimport\s*\(?\s*)(['"])(\.\.?\/[^'"]*)\2/g;

/** Throws where an import leads nowhere. */
export function finishTypes(types = join(ROOT, 'dist', 'types'), source = join(ROOT, 'src')) {
  for (const name of readdirSync(source, { recursive: true })) {
    if (name.endsWith('.d.mts')) cpSync(join(source, name), join(types, name));
  }
  for (const name of readdirSync(types, { recursive: true })) {
    if (!name.endsWith('.d.ts')) continue;
    const path = join(types, name);
    const text = readFileSync(path, 'utf8');
    const finished = text.replace(RELATIVE, (whole, before, quote, to) => {
      const target = join(dirname(path), to);
      if (existsSync(`${target}.d.ts`)) return `${before}${quote}${to}.js${quote}`;
      if (/\.js$/.test(to) && existsSync(target.replace(/\.js$/, '.d.ts'))) return whole;
      if (/\.mjs$/.test(to) && existsSync(target.replace(/\.mjs$/, '.d.mts'))) return whole;
      throw new Error(`${path}: '${to}' leads nowhere`);
    });
    if (finished !== text) writeFileSync(path, finished);
  }
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) finishTypes(process.argv[2] && resolve(process.argv[2]));
