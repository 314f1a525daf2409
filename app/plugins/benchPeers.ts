/**
 * The engines that the bench page times beside Graft: a package of their own, bench/peers, which may be missing. The page
 * is built without those, and says so. Also what the page tells of the build that it is.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Plugin } from 'vite';

const ROOT = resolve(import.meta.dirname, '../..');
const PACKAGES = ['@tensorflow/tfjs-core', '@tensorflow/tfjs-layers', '@tensorflow/tfjs-backend-webgpu', '@jax-js/jax', 'onnxruntime-web'];
const [BUILD, MISSING] = ['virtual:bench-build', '\0bench-missing'];

export function benchPeers(): Plugin {
  return {
    name: 'graft-bench-peers',
    enforce: 'pre',
    resolveId(id) {
      if (id === BUILD) return `\0${BUILD}`;
      const name = PACKAGES.find((each) => id === each || id.startsWith(`${each}/`));
      return name !== undefined && versionIn(join(ROOT, 'bench/peers/node_modules', name)) === undefined ? MISSING : undefined;
    },
    load(id) {
      if (id === `\0${BUILD}`) return `export const build = ${JSON.stringify(describeBuild())};`;
      return id === MISSING ? { code: 'export {};', syntheticNamedExports: true } : undefined;
    },
  };
}

function describeBuild(): { commit: string | null; changed: boolean; versions: Record<string, string> } {
  const versions = PACKAGES.map((name) => [name, versionIn(join(ROOT, 'bench/peers/node_modules', name))] as const).filter((entry): entry is readonly [string, string] => entry[1] !== undefined);
  const changes = git('status', '--porcelain', '--untracked-files=no');
  return { commit: git('rev-parse', 'HEAD'), changed: changes !== null && changes !== '', versions: { graft: versionIn(ROOT) ?? '', ...Object.fromEntries(versions) } };
}

function versionIn(folder: string): string | undefined {
  const file = join(folder, 'package.json');
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version : undefined;
}

function git(...args: string[]): string | null {
  try {
    return execFileSync('git', args, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return null; // an archive without its history
  }
}
