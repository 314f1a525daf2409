/** In the studio as a visitor does it: choose a depth on the drawing, train, save, and use what was saved. */
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { unzipSync } from 'fflate';
import type { Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PATIENCE, browserPath, openApp, type OpenedApp } from './support/appPage';
import { pauseWhen, place, press, ready, says, until } from './support/visitor';

describe.skipIf(browserPath === null)('network and save', () => {
  let app: OpenedApp;
  let page: Page;

  beforeAll(async () => {
    app = await openApp();
    page = await ready(await app.open());
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
  });
  afterAll(async () => {
    await app?.close();
  });

  const plan = (): Promise<string> => page.evaluate(() => graft.state.settings.value.plan);
  const reaches = (wanted: string): Promise<unknown> => until(page, `graft.state.settings.value.plan === '${wanted}'`);

  async function saved(label: string, name: string): Promise<string> {
    await press(page, label, '#save');
    const path = await app.downloaded(name);
    await until(page, `document.querySelector('#save').textContent.includes(${JSON.stringify(`Saved as ${name}`)})`);
    return path;
  }

  it('the depth is chosen by dragging, by clicking, by keys and from the table', async () => {
    expect(await plan()).toBe('head');
    await place(page, '.network-flow');
    const target = await place(page, '[data-from="5"]');
    const handle = await place(page, '.network-handle'); // in the same row: what is in view stays there
    await page.mouse.move(handle.x, handle.y);
    await page.mouse.down();
    await page.mouse.move(target.left + 3, target.y, { steps: 12 });
    await page.mouse.up();
    await reaches('layer3');
    const block = await place(page, '[data-from="8"]');
    await page.mouse.click(block.x, block.y);
    await reaches('layer4.1');
    await page.focus('.network-slider');
    await page.keyboard.press('ArrowLeft');
    await reaches('layer4');
    await until(page, "document.querySelector('.network-slider').getAttribute('aria-valuetext') === 'From layer4: 3 of 10 parts are trained'");
    expect(await page.$eval('#network-spoken', (text) => text.textContent)).toMatch(/layer3, 2 blocks, 4 by 4 with 128 channels, frozen; layer4, 2 blocks, 2 by 2 with 256 channels, trained; head, 3 classes, trained\.$/);
    await page.evaluate(() => [...document.querySelectorAll<HTMLButtonElement>('.network-table button')].find((button) => button.textContent === 'Head only')?.click());
    await reaches('head');
  });

  it('memory of each depth is told, and grows with it', async () => {
    await until(page, "document.querySelectorAll('.network-table tbody tr').length >= 6 && !document.querySelector('.network-stale') && !/…/.test(document.querySelector('.network-table')?.textContent ?? '')");
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
    await page.evaluate(() => graft.studio.setSettings({ epochs: 3 }));
    const paused = pauseWhen(page, 'true');
    await page.evaluate(() => void graft.studio.train());
    await paused;
    await says(page, /Locked while training goes on/, '#network');
    expect(await page.$eval('.network-slider', (slider) => (slider as HTMLInputElement).disabled)).toBe(true);
    await page.evaluate(() => document.querySelector<HTMLElement>('[data-from="7"]')?.click());
    expect(await plan()).toBe('head');
    await page.evaluate(() => graft.studio.resume());
    await until(page, "graft.state.run.value.kind === 'ended'");
  });

  it('a saved model is a base again, with its classes', async () => {
    const path = await saved('Save model', 'title A B glyphs model.zip');
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
    await until(page, "graft.state.usable.value && graft.state.base.value.kind === 'ready'");
  });

  it('the saved page says from the disk what the studio says', async () => {
    await page.locator('.save-half input').click();
    await says(page, /Tried on \d+ held-out pictures: every answer stays the same\./, '.save-half');
    await page.locator('.save-half input').click();
    await until(page, "!document.querySelector('.save-half input').checked");
    const path = await saved('Save page', 'title A B glyphs.html');
    const picture = 'sample/test/psi/01.png';
    const studio = await page.evaluate(async (text) => {
      const blob = new Blob([Uint8Array.from(atob(text), (character) => character.charCodeAt(0))], { type: 'image/png' });
      return (await graft.studio.classify(blob)).top;
    }, readFileSync(picture).toString('base64'));
    const alone = await (await app.browser.createBrowserContext()).newPage();
    alone.setDefaultTimeout(PATIENCE);
    await alone.setOfflineMode(true);
    await alone.goto(pathToFileURL(path).href);
    await alone.waitForSelector('button.primary:not(:disabled)');
    await (await alone.$('input[type=file]') as unknown as { uploadFile(path: string): Promise<void> }).uploadFile(picture);
    await alone.waitForSelector('.answers-list li');
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
    await press(page, 'Open report', '#save');
    const report = await opened;
    await report.waitForFunction(() => document.querySelector('h1')?.textContent === '</title> A/B: "glyphs"', { timeout: PATIENCE, polling: 50 });
    await report.close();
    expect(app.complaints).toEqual([]);
  });
});
