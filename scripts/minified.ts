/**
 * The core as one minified file, `graft.min.js`, for `<script type="module">` and CDNs: all of src/index.ts, shaders
 * included, without their comments. What few pages need (the readers of .pth, the tuner, fixtures, ImageNet's names) lies
 * beside it, in files that it fetches when they are asked for.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { build, type Plugin } from 'vite';

export const MINIFIED = 'graft.min.js';

/** Builds it beside what the build that has this plugin wrote. */
export function minifiedModule(): Plugin {
  return {
    name: 'graft-minified-module',
    apply: 'build',
    async writeBundle({ dir }) {
      const { root, logLevel } = this.environment.config;
      await build({
        configFile: false, root, logLevel,
        plugins: [barerShaders(), toolsTogether(root)],
        build: {
          target: 'es2022', outDir: dir, emptyOutDir: false,
          lib: { formats: ['es'], entry: resolve(root, 'src/index.ts'), fileName: () => MINIFIED },
          // What the late files share with the core lies in the core, which exports it for them under short names.
          rolldownOptions: { preserveEntrySignatures: 'allow-extension', output: { minify: true, chunkFileNames: 'graft.[name].min.js' } },
        },
      });
    },
  };
}

/** Shaders as they are sent to browsers. */
export function barerShaders(): Plugin {
  return {
    name: 'graft-barer-shaders',
    apply: 'build',
    enforce: 'pre',
    load(id) {
      if (!id.endsWith('.wgsl?raw')) return null;
      return `export default ${JSON.stringify(barer(readFileSync(id.replace(/\?raw$/, ''), 'utf8')))};`;
    },
  };
}

/**
 * One late file for the tuner and for fixtures: with more of them than two, the bundler puts what they share into a file
 * that the core would have to import.
 */
function toolsTogether(root: string): Plugin {
  const id = resolve(root, 'tools'); // the file's name comes from it; there is none
  const modules = { tune: 'tune/tuner', runChecks: 'validate/checks' };
  return {
    name: 'graft-tools-together',
    enforce: 'pre',
    resolveId(source, importer) {
      if (source === id) return id;
      const target = importer === undefined ? '' : resolve(importer, '..', source);
      const late = Object.values(modules).some((path) => target === resolve(root, 'src', path)) && importer !== id;
      return late ? id : null;
    },
    load(wanted) {
      if (wanted !== id) return null;
      return Object.entries(modules).map(([name, path]) => `export { ${name} } from ${JSON.stringify(resolve(root, 'src', `${path}.ts`))};`).join('\n');
    },
  };
}

/**
 * WGSL without comments, empty lines and deep indentation. Lines stay lines, and what is indented stays so by one space:
 * src/gpu knows declarations of the module by their beginning a line.
 */
export function barer(source: string): string {
  if (source.includes('/*')) throw new Error("shaders have line comments only: '/*' was found");
  return source
    .split('\n')
    .map((line) => line.replace(/\/\/.*$/, '').trimEnd().replace(/^\s+/, ' ').replace(/(?<=\S)\s+/g, ' '))
    .filter((line) => line.trim() !== '')
    .join('\n');
}
