/** The web app: three pages, a worker, and the files of the repository that they use. `base` is relative, so that any host can serve it from any path. */
import { resolve } from 'node:path';
import { defineConfig } from 'vite';
import { barerShaders } from '../scripts/minified.ts';
import { benchPeers } from './plugins/benchPeers.ts';
import { repositoryFiles } from './plugins/repositoryFiles.ts';
import { standalonePage } from './plugins/standalonePage.ts';

const here = import.meta.dirname;

export default defineConfig({
  root: here,
  base: './',
  publicDir: false,
  plugins: [repositoryFiles(), standalonePage(), benchPeers()],
  worker: { format: 'es', plugins: () => [barerShaders(), benchPeers()] },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    target: 'es2022',
    outDir: resolve(here, '../dist-app'),
    emptyOutDir: true,
    rollupOptions: { input: ['index.html', 'bench.html', 'validate.html'].map((name) => resolve(here, name)) },
  },
});
