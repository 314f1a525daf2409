/**
 * Files of the repository that the pages fetch, under `files/`: served in development, copied into the build.
 * The sample travels as one archive, since three hundred small requests are slow.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join, posix, resolve } from 'node:path';
import { zipSync } from 'fflate';
import type { Plugin } from 'vite';

const ROOT = resolve(import.meta.dirname, '../..');

/** Name under `files/` to its contents, made when asked for. */
export function filesOf(root = ROOT): Map<string, () => Uint8Array> {
  const file = (path: string) => (): Uint8Array => readFileSync(join(root, path));
  const fixtures = namesBelow(join(root, 'test/fixtures')).filter((name) => /^(ops|optim|train|logits)\/.*\.safetensors$/.test(name)).sort();
  return new Map<string, () => Uint8Array>([
    ['base/model.json', file('weights/base/model.json')],
    ['base/model.safetensors', file('weights/base/model.safetensors')],
    ['sample.zip', () => zipFolder(join(root, 'sample'))],
    ['fixtures/index.json', () => new TextEncoder().encode(JSON.stringify(fixtures))],
    ...fixtures.map((name) => [`fixtures/${name}`, file(`test/fixtures/${name}`)] as const),
  ]);
}

export function repositoryFiles(): Plugin {
  return {
    name: 'graft-repository-files',
    configureServer({ middlewares }) {
      const files = filesOf();
      middlewares.use((request, response, next) => {
        const name = decodeURIComponent((request.url ?? '').replace(/[?#].*$/, '')).replace(/^\/files\//, '');
        const make = request.url?.startsWith('/files/') ? files.get(name) : undefined;
        if (!make) return next();
        response.setHeader('Content-Type', name.endsWith('.json') ? 'application/json' : 'application/octet-stream');
        response.end(make());
      });
    },
    generateBundle() {
      // Of the builds for page and worker, only the page's writes them.
      if (this.environment.config.isWorker) return;
      for (const [name, make] of filesOf()) this.emitFile({ type: 'asset', fileName: `files/${name}`, source: make() });
    },
  };
}

/** Stored, not compressed: PNGs are already. A fixed date, so that the same files give the same archive. */
function zipFolder(folder: string): Uint8Array {
  const entries = namesBelow(folder).filter((name) => name.endsWith('.png')).sort().map((name) => [name, readFileSync(join(folder, name))] as const);
  return zipSync(Object.fromEntries(entries), { level: 0, mtime: '2026-01-01T00:00:00Z' });
}

function namesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => posix.relative(folder.replaceAll('\\', '/'), posix.join(entry.parentPath.replaceAll('\\', '/'), entry.name)));
}
