/** The web app as a visitor meets it: built, served as static files, opened in the installed browser on its software adapter. */
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { launch, type Browser, type BrowserContext, type LaunchOptions, type Page } from 'puppeteer-core';
import { build, preview } from 'vite';
import { afterEach, expect } from 'vitest';
import { browserFlags, findBrowser, firefoxPreferences } from '../../src/node/system.mjs';
import { appIsFresh } from '../../scripts/build.mjs';

/** The installed browser, or null: tests that need one are skipped then. */
export const browserPath = findBrowser();

/** Chromium's flags for WebGPU: on Linux on its own software adapter. */
export const WEBGPU_FLAGS: readonly string[] = browserFlags();

/** Milliseconds until a test gives up waiting. No state takes so long, on a slow and busy machine neither: it ends what hangs. */
export const PATIENCE = 90_000;

export interface AppOptions {
  /** Default true; false opens a browser without WebGPU. */
  readonly webgpu?: boolean;
  /** Path of a Firefox to open instead. */
  readonly firefox?: string;
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
  /** Where the file of this name lies, once a page's download of it is done. */
  downloaded(name: string): Promise<string>;
  close(): Promise<void>;
}

/** Serves the app as `npm test` built it, or builds it where it is out of date, and starts a browser with a made-up camera. */
export async function openApp({ webgpu = true, firefox, launch: more = {} }: AppOptions = {}): Promise<OpenedApp> {
  const configFile = resolve('app/vite.config.ts');
  // A stale build is left alone: another test may be serving it.
  const own = appIsFresh(resolve('.')) ? undefined : mkdtempSync(join(tmpdir(), 'graft-app-'));
  const place = own === undefined ? {} : { build: { outDir: own, emptyOutDir: true } };
  if (own !== undefined) await build({ configFile, logLevel: 'error', ...place });
  const server = await preview({ configFile, ...place, preview: { port: 0, host: '127.0.0.1' }, logLevel: 'error' });
  const address = server.httpServer.address();
  const origin = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  const downloads = mkdtempSync(join(tmpdir(), 'graft-downloads-'));
  const { args = [], ...rest } = more;
  const browser = await launch({
    headless: true, protocolTimeout: 600_000, defaultViewport: { width: 1280, height: 900 },
    ...(firefox === undefined ? { executablePath: browserPath ?? '' } : firefoxOptions(firefox, downloads)), ...rest,
    args: firefox !== undefined ? args : [
      '--no-sandbox', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync',
      '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', ...(webgpu ? WEBGPU_FLAGS : ['--disable-features=WebGPU']), ...args,
    ],
  });
  if (firefox === undefined) {
    const session = await browser.target().createCDPSession();
    await session.send('Browser.setDownloadBehavior', { behavior: 'allow', downloadPath: downloads, eventsEnabled: true });
  }
  const complaints: string[] = [];
  const requests: string[] = [];
  const app: OpenedApp = {
    origin, browser, complaints, requests, folder: own ?? resolve('dist-app'),
    async open(path = '', context) {
      const page = await (context ?? browser).newPage();
      page.setDefaultTimeout(PATIENCE);
      page.on('request', (request) => requests.push(request.url()));
      page.on('pageerror', (error) => complaints.push(String(error)));
      page.on('console', (message) => { if (message.type() === 'error') complaints.push(message.text()); });
      await page.goto(`${origin}/${path}`);
      return page;
    },
    async downloaded(name) {
      // Until it is whole it has another name in Chromium; in Firefox it is empty, with its bytes in a part beside it.
      const whole = (): boolean => existsSync(join(downloads, name)) && statSync(join(downloads, name)).size > 0 && !readdirSync(downloads).some((file) => file.endsWith('.part'));
      await expect.poll(whole, { timeout: PATIENCE, interval: 50, message: `the download ${name}` }).toBe(true);
      return join(downloads, name);
    },
    async close() {
      opened.delete(app);
      await browser.close();
      await server.close();
      for (const folder of [downloads, ...(own === undefined ? [] : [own])]) rmSync(folder, { recursive: true, force: true });
    },
  };
  opened.add(app);
  return app;
}

function firefoxOptions(executablePath: string, downloads: string): LaunchOptions {
  return {
    browser: 'firefox', executablePath,
    extraPrefsFirefox: {
      ...firefoxPreferences(),
      'browser.download.folderList': 2, 'browser.download.dir': downloads, 'browser.download.alwaysOpenPanel': false,
      'media.navigator.streams.fake': true, 'media.navigator.permission.disabled': true,
    },
  };
}

const opened = new Set<OpenedApp>();

/** What a page of the studio is at, in words. */
function whereabouts(): string {
  const focus = document.activeElement;
  const focused = `focus on ${focus === document.body ? 'the page' : (focus?.getAttribute('aria-label') ?? focus?.textContent?.slice(0, 40) ?? 'nothing')}`;
  if (!('graft' in globalThis)) return focused;
  const { device, base, run, adding, storage } = graft.state;
  return `device ${device.value.kind}, base ${base.value.kind}, run ${run.value.kind}, adding ${JSON.stringify(adding.value)}, storage's problem ${storage.value.problem}, ${focused}`;
}

/** After a test that failed. */
afterEach(async ({ task }) => {
  if (task.result?.state !== 'fail') return;
  for (const { browser, complaints } of opened) {
    for (const page of (await browser.pages()).filter((one) => one.url() !== 'about:blank')) {
      const silent = new Promise<string>((resolve) => { setTimeout(resolve, 3000, 'no answer'); });
      console.error(`${task.name}: ${page.url()}: ${await Promise.race([page.evaluate(whereabouts).catch(String), silent])}`);
    }
    if (complaints.length > 0) console.error(`Its pages complained: ${complaints.slice(-5).join('; ')}`);
  }
});
