import { builtinModules } from 'node:module';
import { defineConfig } from 'vitest/config';
import { minifiedModule } from './scripts/minified.ts';

/** One build makes the browser-safe core, the Node entry, the command line, the decode worker, and the core again as one small file. */
export default defineConfig({
  plugins: [minifiedModule()],
  build: {
    target: 'es2022',
    outDir: 'dist',
    emptyOutDir: true,
    minify: false,
    sourcemap: false,
    lib: {
      formats: ['es'],
      entry: {
        index: 'src/index.ts',
        node: 'src/node/index.ts',
        cli: 'src/cli/main.ts',
        imageWorker: 'src/node/imageWorker.ts',
      },
    },
    rollupOptions: {
      external: [...builtinModules, ...builtinModules.map((m) => `node:${m}`), 'webgpu', 'sharp', 'commander'],
    },
  },
  test: {
    include: ['test/**/*.test.ts'],
    // For what hangs: no test takes so long, on a machine that is slow and busy neither.
    testTimeout: 240_000,
    hookTimeout: 240_000,
    // One GPU process at a time: two would share the same two cores and both crawl.
    fileParallelism: false,
    pool: 'forks',
  },
});
