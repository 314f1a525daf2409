/** The studio as a person uses it, in a real browser: by what can be seen and pressed on the page. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unzipSync, zipSync } from 'fflate';
import type { Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunState } from '../app/shared/protocol';
import { load } from '../src/node/load';
import { browserPath, openApp, type OpenedApp } from './support/appPage';
import { choose, closed, pauseWhen, press, sample, says, text, until } from './support/visitor';

if (browserPath === null) console.warn('studio.test.ts is skipped: no Chromium, Chrome or Edge was found; set CHROME_PATH to one');

const CLASSES = ['lambda', 'psi', 'yu'];

describe.skipIf(browserPath === null)('the studio', () => {
  const folder = mkdtempSync(join(tmpdir(), 'graft-studio-'));
  let app: OpenedApp;
  let page: Page;

  beforeAll(async () => {
    app = await openApp();
    page = await app.open();
  });
  afterAll(async () => {
    await app?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const file = (name: string, bytes: Uint8Array): string => {
    writeFileSync(join(folder, name), bytes);
    return join(folder, name);
  };
  const run = (): Promise<RunState> => page.evaluate(() => graft.state.run.value);
  /** Of a run that goes on. */
  const ended = async (): Promise<Extract<RunState, { kind: 'ended' }>> => {
    await until(page, '["ended", "failed"].includes(graft.state.run.value.kind)');
    const state = await run();
    if (state.kind !== 'ended') throw new Error(JSON.stringify(state));
    return state;
  };

  it('greets, and says what is missing before anything can be trained', async () => {
    await says(page, /Show Graft some pictures/);
    await says(page, /Add pictures of at least two classes/, '#train');
    await says(page, /Choose a base/, '#train');
  });

  it('takes an archive, and leaves broken and empty files out with their reasons', async () => {
    const entries = CLASSES.flatMap((label) => Array.from({ length: 8 }, (_, i) => [`photos/${label}/${i + 1}.png`, sample(label, i + 1)] as const));
    const broken = sample('psi', 9).slice(0, 300);
    const archive = zipSync(Object.fromEntries([...entries, ['photos/psi/torn.png', broken], ['photos/yu/empty.png', new Uint8Array(0)]]), { level: 0 });
    await choose(page, 'Choose pictures or a zip', [file('photos.zip', archive)]);
    await says(page, /Added 24 pictures\.[\s\S]*2 files left out/, '#images');
    const report = await text(page, '#images');
    expect(report).toMatch(/torn\.png[\s\S]*cannot|torn\.png[\s\S]*not/);
    expect(report).toMatch(/empty\.png[\s\S]*empty|empty\.png[\s\S]*0 bytes/);
    await says(page, /24 pictures in 3 classes/, '#images');
  });

  it('refuses a broken base in words, and takes the one that ships', async () => {
    await page.locator('#base ::-p-text(Your own)').click();
    await choose(page, 'Choose a file', [file('broken.safetensors', new TextEncoder().encode('this is no weights file'))], '#base');
    await says(page, /broken\.safetensors.*could not be loaded/, '#base');
    await page.locator('#base ::-p-text(Glyphs)').click();
    await press(page, 'Use the glyph base', '#base');
    await says(page, /Architecture/, '#base');
    await says(page, /frozen/i, '#network');
  });

  it('trains while the page shows it, and accuracy rises', async () => {
    await press(page, 'Train', '#train');
    await says(page, /Epoch/, '#train');
    const { result, validation, curve } = await ended();
    const [first] = result.history;
    const best = result.history[result.bestEpoch - 1];
    expect(curve[0].loss).toBeGreaterThan(2 * curve[curve.length - 1].loss);
    expect(best.validationLoss ?? 0).toBeLessThan(first.validationLoss ?? 0);
    expect(validation?.count).toBe(6);
    expect(validation?.accuracy).toBeGreaterThan(0.6);
    await says(page, /held-out/, '#train');
    await page.waitForSelector('#results table');
  });

  it('tells a new picture, and shows where it looked', async () => {
    await choose(page, 'Choose a picture', [file('new psi.png', readFileSync('sample/test/psi/03.png'))], '#try');
    await page.waitForSelector('#try .try-verdict');
    const first = await page.$eval('#try .try-bars li', (element) => (element as HTMLElement).innerText);
    expect(first).toMatch(/psi/);
    await press(page, 'See where it looked', '#try');
    await page.waitForSelector('dialog[open] canvas', { visible: true });
    await page.keyboard.press('Escape');
    await closed(page);
  });

  it('saves a model that loads elsewhere', async () => {
    await press(page, 'Save model', '#save');
    await says(page, /Saved as/, '#save');
    const files = unzipSync(readFileSync(await app.downloaded('Untitled model.zip')));
    const names = Object.keys(files);
    const model = join(folder, 'model');
    mkdirSync(model);
    for (const wanted of ['model.safetensors', 'model.json']) {
      const name = names.find((entry) => entry.endsWith(wanted));
      expect(name, names.join(', ')).toBeDefined();
      writeFileSync(join(model, wanted), files[name ?? '']);
    }
    const classifier = await load(model);
    expect(classifier.classes).toEqual(CLASSES);
    classifier.dispose();
  });

  it('has it all again after a reload', async () => {
    await page.reload();
    await says(page, /24 pictures in 3 classes/, '#images');
    await says(page, /held-out/, '#train');
    await choose(page, 'Choose a picture', [join(folder, 'new psi.png')], '#try');
    await page.waitForSelector('#try .try-bars li');
    expect(await page.$eval('#try .try-bars li', (element) => (element as HTMLElement).innerText)).toMatch(/psi/);
  });

  it('goes on after a reload in the middle of training', async () => {
    await page.evaluate(() => graft.studio.setSettings({ epochs: 12, lr: 0.001 }));
    const paused = pauseWhen(page, 'run.history.length >= 2');
    await press(page, 'Train again', '#train');
    await paused;
    await page.reload();
    await says(page, /Continue from epoch \d+ of 12/, '#train');
    const before = await run();
    if (before.kind !== 'interrupted') throw new Error(`the run is ${before.kind}`);
    await press(page, `Continue from epoch ${before.epoch + 1} of 12`, '#train');
    const { result } = await ended();
    expect(result.history.map(({ epoch }) => epoch)).toEqual(result.history.map((_, i) => i + 1));
    expect(result.history.length).toBeGreaterThan(before.epoch);
  });

  it('goes on after the device was lost, and says so', async () => {
    const paused = pauseWhen(page, 'run.history.length >= 1');
    await press(page, 'Train again', '#train');
    await paused;
    await page.evaluate(() => graft.studio.loseDevice());
    await page.evaluate(() => graft.studio.resume());
    const { result, notes } = await ended();
    expect(['finished', 'early']).toContain(result.ended);
    expect(notes.join(' ')).toMatch(/lost/);
    await says(page, /lost/, '#train');
  });

  it('complained of nothing on the console', () => {
    expect(app.complaints).toEqual([]);
  });
});
