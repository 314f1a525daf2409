/** What a browser keeps of tuning: in IndexedDB, whole, and without a word where it keeps nothing. */
import { launch, type Browser, type Page } from 'puppeteer-core';
import type { ViteDevServer } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findBrowser } from '../src/node/system.mjs';
import { serveRepository } from './support/server';

const browserPath = findBrowser();

describe.skipIf(browserPath === null)('the browser\'s store', () => {
  let server: ViteDevServer | undefined;
  let browser: Browser | undefined;
  let page: Page;

  beforeAll(async () => {
    const served = await serveRepository();
    server = served.server;
    browser = await launch({ executablePath: browserPath ?? '', headless: true, args: ['--no-sandbox'] });
    page = await browser.newPage();
    await page.setRequestInterception(true);
    page.on('request', (request) => {
      if (request.url().endsWith('/blank')) void request.respond({ contentType: 'text/html', body: '<!doctype html>' });
      else void request.continue();
    });
    await page.goto(`${served.origin}/blank`);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });

  /** Runs a function body in the page with a store and the warnings it gave. */
  function inPage(body: string): Promise<unknown> {
    return page.evaluate(`(async () => {
      const { browserTuningStore } = await import('/src/tune/browserStore.ts');
      const store = browserTuningStore();
      const warnings = [];
      const warn = (message) => warnings.push(message);
      ${body}
    })()`);
  }

  it('leaves nothing behind when it is only asked', async () => {
    expect(await inPage(`return [await store.load('x', warn) ?? null, (await indexedDB.databases()).length, warnings];`)).toEqual([null, 0, []]);
  });

  it('keeps a table by adapter, loses nothing of several writers, and forgets', async () => {
    expect(await inPage(`
      await Promise.all(Array.from({ length: 20 }, (_, i) => browserTuningStore().update('x', (text) => (text ?? '') + i + ' ', warn)));
      await store.update('y', () => 'other', warn);
      const kept = (await store.load('x', warn)).trim().split(' ').length;
      const forgotten = await store.update('x', () => undefined, warn);
      return [kept, forgotten, await store.load('x', warn) ?? null, await store.load('y', warn), warnings];
    `)).toEqual([20, true, null, 'other', []]);
  });

  it('says so where nothing can be kept, when something should be', async () => {
    expect(await inPage(`
      Object.defineProperty(window, 'indexedDB', { value: undefined, configurable: true });
      const answers = [await store.load('y', warn) ?? null, await store.update('y', () => 'z', warn)];
      delete window.indexedDB;
      return [...answers, warnings];
    `)).toEqual([null, false, ['what is tuned cannot be kept in this browser (there is no IndexedDB); it counts for this page only']]);
  });
});
