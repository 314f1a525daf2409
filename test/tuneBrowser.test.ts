/** What a browser keeps of tuning: in IndexedDB, whole, and without a word where it keeps nothing. */
import type { Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { browserPath, openBlankPage } from './support/browserPage';

describe.skipIf(browserPath === null)('the browser\'s store', () => {
  let page: Page;
  let close: (() => Promise<void>) | undefined;

  beforeAll(async () => {
    ({ page, close } = await openBlankPage());
  });
  afterAll(() => close?.());

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
