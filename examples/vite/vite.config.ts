import { cpSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { createRequire } from 'node:module';
import { defineConfig } from 'vite';

// A model is a folder of two files. The package brings one; yours is what `saveModel` or the studio page wrote.
const base = join(dirname(createRequire(import.meta.url).resolve('graft-gpu/package.json')), 'weights/base');
cpSync(base, resolve(import.meta.dirname, 'public/model'), { recursive: true, filter: (path) => !path.endsWith('.log') });

export default defineConfig({ base: './', build: { target: 'es2022' } });
