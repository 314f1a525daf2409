/** The built app, served as it would be by any host, and the browser that visits it. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { launch } from 'puppeteer-core';
import { preview } from 'vite';
import { buildApp } from '../../scripts/build.mjs';
import { browserFlags, findBrowser } from '../../src/node/system.mjs';
import { ROOT } from '../engines/source.mjs';

/** Serves `folder`, or the app, built where it is out of date. */
export async function openSite(folder) {
  if (folder === undefined) await buildApp(ROOT);
  const dist = resolve(folder ?? join(ROOT, 'dist-app')); // vite would take it from the app's folder
  const server = await preview({
    configFile: join(ROOT, 'app/vite.config.ts'), build: { outDir: dist }, preview: { port: 0, host: '127.0.0.1', strictPort: false }, logLevel: 'error',
  });
  return {
    origin: `http://127.0.0.1:${server.httpServer.address().port}`,
    /** Bytes of a file that was asked for, as it lies there and gzipped. */
    weigh(url) {
      const { pathname } = new URL(url);
      const bytes = readFileSync(join(dist, pathname === '/' ? 'index.html' : decodeURIComponent(pathname)));
      return { bytes: bytes.length, gzip: gzipSync(bytes, { level: 9 }).length };
    },
    close: () => server.close(),
  };
}

/** A browser with a new profile, or with that of `profile`, which then stays. */
export async function openBrowser(profile) {
  const executablePath = findBrowser();
  if (executablePath === null) throw new Error("no Chromium or Chrome was found; 'graft doctor' says how to get one");
  const userDataDir = profile ?? newProfile();
  const browser = await launch({
    executablePath, userDataDir, headless: true, protocolTimeout: 900_000, defaultViewport: { width: 1280, height: 900 },
    args: ['--no-sandbox', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', ...browserFlags()],
  });
  return {
    browser,
    async close() {
      await browser.close();
      if (profile === undefined) removeProfile(userDataDir);
    },
  };
}

export const newProfile = () => mkdtempSync(join(tmpdir(), 'graft-profile-'));
/** The browser's helpers may write for a moment after it has closed. */
export const removeProfile = (folder) => rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
