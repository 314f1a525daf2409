/** The web app as a visitor meets it: built, served as static files, opened in the installed browser on its software adapter. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { launch, type Browser, type BrowserContext, type LaunchOptions, type Page } from 'puppeteer-core';
import { build, preview } from 'vite';
import { browserFlags, findBrowser } from '../../src/node/system.mjs';
import { appIsFresh } from '../../scripts/build.mjs';

/** The installed browser, or null: tests that need one are skipped then. */
export const browserPath = findBrowser();

/** Chromium's flags for WebGPU: on Linux on its own software adapter. */
export const WEBGPU_FLAGS: readonly string[] = browserFlags();

export interface AppOptions {
  /** Default true; false opens a browser without WebGPU. */
  readonly webgpu?: boolean;
  /** More options for the browser: a profile that outlives it, for one. */
  readonly launch?: LaunchOptions;
}

export interface OpenedApp {
  readonly origin: string;
  readonly browser: Browser;
  /** What pages complained of on the console, and errors nobody caught. */
  readonly complaints: string[];
  /** Where the built files lie. */
  readonly folder: string;
  /** Every address that its tabs and their workers asked for. */
  readonly requests: string[];
  /** A new tab at this address below the site's root; in a context of its own it shares no storage with others. */
  open(path?: string, context?: BrowserContext): Promise<Page>;
  close(): Promise<void>;
}

/** Serves the app as `npm test` built it, or builds it where it is out of date, and starts a browser with a made-up camera. */
export async function openApp({ webgpu = true, launch: more = {} }: AppOptions = {}): Promise<OpenedApp> {
  const configFile = resolve('app/vite.config.ts');
  // A stale build is left alone: another test may be serving it.
  const own = appIsFresh(resolve('.')) ? undefined : mkdtempSync(join(tmpdir(), 'graft-app-'));
  const place = own === undefined ? {} : { build: { outDir: own, emptyOutDir: true } };
  if (own !== undefined) await build({ configFile, logLevel: 'error', ...place });
  const server = await preview({ configFile, ...place, preview: { port: 0, host: '127.0.0.1' }, logLevel: 'error' });
  const address = server.httpServer.address();
  const origin = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  const { args = [], ...rest } = more;
  const browser = await launch({
    executablePath: browserPath ?? '', headless: true, protocolTimeout: 600_000, defaultViewport: { width: 1280, height: 900 }, ...rest,
    args: [
      '--no-sandbox', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync',
      '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', ...(webgpu ? WEBGPU_FLAGS : ['--disable-features=WebGPU']), ...args,
    ],
  });
  const complaints: string[] = [];
  const requests: string[] = [];
  return {
    origin, browser, complaints, requests, folder: own ?? resolve('dist-app'),
    async open(path = '', context) {
      const page = await (context ?? browser).newPage();
      page.on('request', (request) => requests.push(request.url()));
      page.on('pageerror', (error) => complaints.push(String(error)));
      page.on('console', (message) => { if (message.type() === 'error') complaints.push(message.text()); });
      await page.goto(`${origin}/${path}`);
      return page;
    },
    async close() {
      await browser.close();
      await server.close();
      if (own !== undefined) rmSync(own, { recursive: true, force: true });
    },
  };
}
