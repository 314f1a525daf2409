/** In the studio as a visitor does it: choose a depth on the drawing, train, save, and use what was saved. */
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { unzipSync } from 'fflate';
import type { Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StudioApi, StudioState } from '../app/shared/protocol';
import { browserPath, openApp, type OpenedApp } from './support/appPage';

/** The page's handle for tests. */
declare const graft: { readonly studio: StudioApi; readonly state: { readonly [K in keyof StudioState]: { readonly value: StudioState[K] } } };

const folder = mkdtempSync(join(tmpdir(), 'graft-save-'));

describe.skipIf(browserPath === null)('network and save', () => {
  let app: OpenedApp;
  let page: Page;

  beforeAll(async () => {
    app = await openApp();
    page = await app.open();
    const client = await app.browser.target().createCDPSession();
    await client.send('Browser.setDownloadBehavior', { behavior: 'allow', downloadPath: folder, eventsEnabled: true });
    await page.waitForFunction('globalThis.graft !== undefined && graft.state.device.value.kind === "ready"', { timeout: 100_000 });
    await page.evaluate(async () => {
      const { studio, state } = graft;
      await studio.addSample();
      // Six pictures of three classes: a software adapter is slow.
      for (const { id } of state.classes.value.slice(3)) await studio.removeClass(id);
      await studio.removeImages(state.classes.value.flatMap(({ images }) => images.slice(6).map(({ id }) => id)));
      await studio.renameProject('</title> A/B: "glyphs"');
      await studio.chooseBase({ kind: 'shipped' });
    });
    await page.waitForSelector('.network-part');
  }, 300_000);
  afterAll(async () => {
    await app?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const plan = (): Promise<string> => page.evaluate(() => graft.state.settings.value.plan);
  const reaches = (wanted: string): Promise<unknown> => page.waitForFunction((name) => graft.state.settings.value.plan === name, { timeout: 10_000 }, wanted);

  /** Middle of the left edge and of the whole, in the window. */
  async function place(selector: string): Promise<{ left: number; x: number; y: number }> {
    return page.$eval(selector, (element) => {
      element.scrollIntoView({ block: 'center' });
      const { left, top, width, height } = element.getBoundingClientRect();
      return { left, x: left + width / 2, y: top + height / 2 };
    });
  }

  async function press(label: string): Promise<void> {
    await page.evaluate((text) => [...document.querySelectorAll<HTMLButtonElement>('#save button')].find((button) => button.textContent === text)?.click(), label);
  }

  async function downloaded(label: string, name: string): Promise<string> {
    await press(label);
    const path = join(folder, name);
    await expect.poll(() => existsSync(path) || readdirSync(folder), { timeout: 100_000, interval: 200 }).toBe(true);
    await page.waitForFunction((text) => document.querySelector('#save')?.textContent?.includes(`Saved as ${text}`), { timeout: 100_000 }, name);
    return path;
  }

  it('the depth is chosen by dragging, by clicking, by keys and from the table', async () => {
    expect(await plan()).toBe('head');
    await place('.network-flow');
    const handle = await place('.network-handle');
    const target = await place('[data-from="5"]');
    await page.mouse.move(handle.x, handle.y);
    await page.mouse.down();
    await page.mouse.move(target.left + 3, target.y, { steps: 12 });
    await page.mouse.up();
    await reaches('layer3');
    const block = await place('[data-from="8"]');
    await page.mouse.click(block.x, block.y);
    await reaches('layer4.1');
    await page.focus('.network-slider');
    await page.keyboard.press('ArrowLeft');
    await reaches('layer4');
    expect(await page.$eval('.network-slider', (slider) => slider.getAttribute('aria-valuetext'))).toBe('From layer4: 3 of 10 parts are trained');
    expect(await page.$eval('#network-spoken', (text) => text.textContent)).toMatch(/layer3, 2 blocks, 4 by 4 with 128 channels, frozen; layer4, 2 blocks, 2 by 2 with 256 channels, trained; head, 3 classes, trained\.$/);
    await page.evaluate(() => [...document.querySelectorAll<HTMLButtonElement>('.network-table button')].find((button) => button.textContent === 'Head only')?.click());
    await reaches('head');
  });

  it('memory of each depth is told, and grows with it', async () => {
    await page.waitForFunction(() => document.querySelectorAll('.network-table tbody tr').length >= 6 && !document.querySelector('.network-stale') && !/…/.test(document.querySelector('.network-table')?.textContent ?? ''), { timeout: 60_000 });
    const [head, full] = await page.evaluate(async () => graft.studio.planCosts(['head', 'full']));
    expect(head.trainedParameters).toBe(257 * 3);
    expect(full.memoryBytes).toBeGreaterThan(head.memoryBytes);
    expect(await page.$eval('.network-figures', (figures) => figures.textContent)).toContain('771');
  });

  it('nothing but the project can be saved before training, and the page says why', async () => {
    const buttons = await page.$$eval('#save button', (all) => all.map((button) => [button.textContent, (button as HTMLButtonElement).disabled]));
    expect(buttons).toEqual([['Save model', true], ['Save page', true], ['Save project', false], ['Open report', true], ['Save report', true]]);
    expect(await page.$eval('#save', (section) => section.textContent)).toContain('There is no trained model yet: train one first.');
  });

  it('the drawing is locked while training goes on', async () => {
    await page.evaluate(async () => {
      await graft.studio.setSettings({ epochs: 3 });
      void graft.studio.train();
    });
    await page.waitForFunction(() => document.querySelector('#network')?.textContent?.includes('Locked while training goes on'), { timeout: 60_000 });
    expect(await page.$eval('.network-slider', (slider) => (slider as HTMLInputElement).disabled)).toBe(true);
    await page.evaluate(() => document.querySelector<HTMLElement>('[data-from="7"]')?.click());
    expect(await plan()).toBe('head');
    await page.waitForFunction(() => graft.state.run.value.kind === 'ended', { timeout: 200_000 });
  }, 300_000);

  it('a saved model is a base again, with its classes', async () => {
    const path = await downloaded('Save model', 'title A B glyphs model.zip');
    const files = unzipSync(new Uint8Array(readFileSync(path)));
    expect(Object.keys(files)).toContain('report.html');
    const bytes = readFileSync(path).toString('base64');
    const base = await page.evaluate(async (text) => {
      const { studio, state } = graft;
      const before = state.project.value.id;
      await studio.newProject();
      const file = new File([Uint8Array.from(atob(text), (character) => character.charCodeAt(0))], 'model.zip');
      await studio.chooseBase({ kind: 'files', files: [file] });
      const now = state.base.value;
      await studio.openProject(before);
      return now.kind === 'ready' ? now.info.card.classes : now;
    }, bytes);
    expect(base).toEqual(['ampersand', 'lambda', 'psi']);
    await page.waitForFunction(() => graft.state.usable.value && graft.state.base.value.kind === 'ready', { timeout: 60_000 });
  });

  it('the saved page says from the disk what the studio says', async () => {
    await page.click('.save-half input');
    await page.waitForFunction(() => /Tried on \d+ held-out pictures: every answer stays the same\./.test(document.querySelector('.save-half')?.textContent ?? ''), { timeout: 100_000 });
    await page.click('.save-half input');
    const path = await downloaded('Save page', 'title A B glyphs.html');
    const picture = 'sample/test/psi/01.png';
    const studio = await page.evaluate(async (text) => {
      const blob = new Blob([Uint8Array.from(atob(text), (character) => character.charCodeAt(0))], { type: 'image/png' });
      return (await graft.studio.classify(blob)).top;
    }, readFileSync(picture).toString('base64'));
    const alone = await (await app.browser.createBrowserContext()).newPage();
    await alone.setOfflineMode(true);
    await alone.goto(pathToFileURL(path).href);
    await alone.waitForSelector('button.primary:not(:disabled)', { timeout: 100_000 });
    await (await alone.$('input[type=file]') as unknown as { uploadFile(path: string): Promise<void> }).uploadFile(picture);
    await alone.waitForSelector('.answers-list li', { timeout: 60_000 });
    const answers = await alone.$$eval('.answers-list li', (items) => items.map((item) => ({
      name: item.querySelector('.answers-name')?.textContent, probability: Number.parseFloat((item.querySelector('.answers-track span') as HTMLElement).style.width) / 100,
    })));
    expect(answers.map(({ name }) => name)).toEqual(studio.map(({ name }) => name));
    answers.forEach(({ probability }, i) => expect(Math.abs(probability - studio[i].probability)).toBeLessThan(1e-4));
    expect(await alone.$eval('h1', (title) => title.textContent)).toBe('</title> A/B: "glyphs"');
    await alone.close();
  });

  it('the report opens in a tab of its own', async () => {
    const opened = new Promise<Page>((resolve) => page.once('popup', (tab) => resolve(tab as Page)));
    await press('Open report');
    const report = await opened;
    await report.waitForFunction(() => document.querySelector('h1')?.textContent === '</title> A/B: "glyphs"', { timeout: 60_000 });
    await report.close();
    expect(app.complaints).toEqual([]);
  });
});
