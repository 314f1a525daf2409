/** The studio as a person uses it, in a real browser: by what can be seen and pressed on the page. */
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unzipSync, zipSync } from 'fflate';
import type { ElementHandle, Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunState } from '../app/shared/protocol';
import { load } from '../src/node/load';
import { browserPath, openApp, type OpenedApp } from './support/appPage';

if (browserPath === null) console.warn('studio.test.ts is skipped: no Chromium, Chrome or Edge was found; set CHROME_PATH to one');

const CLASSES = ['lambda', 'psi', 'yu'];
/** Of the sample, each class's first so many. */
const picture = (label: string, number: number, part = 'train'): Uint8Array => readFileSync(`sample/${part}/${label}/${String(number).padStart(2, '0')}.png`);

describe.skipIf(browserPath === null)('the studio', () => {
  const folder = mkdtempSync(join(tmpdir(), 'graft-studio-'));
  const downloads = join(folder, 'downloads');
  let app: OpenedApp;
  let page: Page;

  beforeAll(async () => {
    mkdirSync(downloads);
    app = await openApp();
    page = await app.open();
    const cdp = await app.browser.target().createCDPSession();
    await cdp.send('Browser.setDownloadBehavior', { behavior: 'allow', downloadPath: downloads, eventsEnabled: true });
  });
  afterAll(async () => {
    await app?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const file = (name: string, bytes: Uint8Array): string => {
    writeFileSync(join(folder, name), bytes);
    return join(folder, name);
  };
  const text = (selector = 'main'): Promise<string> => page.$eval(selector, (element) => (element as HTMLElement).innerText);
  const says = (words: RegExp, selector = 'main', timeout = 60_000): Promise<unknown> =>
    page.waitForFunction((where, source, flags) => [...document.querySelectorAll<HTMLElement>(where)].some((element) => new RegExp(source, flags).test(element.innerText)), { timeout, polling: 50 }, selector, words.source, words.flags);
  /** Presses the button of this accessible name, once it can be pressed. */
  const press = async (name: string, within = 'body'): Promise<void> => {
    const button = await page.waitForSelector(`${within} ::-p-aria([name="${name}"][role="button"])`, { visible: true, timeout: 20_000 });
    await page.waitForFunction((element) => !(element as HTMLButtonElement).disabled && (element as HTMLElement).ariaDisabled !== 'true', { timeout: 30_000 }, button as ElementHandle);
    await button?.click();
  };
  /** Gives files to the input behind a button, as its file dialog would. */
  const choose = async (name: string, paths: string[], within = 'body'): Promise<void> => {
    const button = await page.waitForSelector(`${within} ::-p-aria([name="${name}"][role="button"])`, { visible: true, timeout: 20_000 });
    const [chooser] = await Promise.all([page.waitForFileChooser(), button?.click()]);
    await chooser.accept(paths);
  };
  const run = (): Promise<RunState> => page.evaluate('window.graft.state.run.value') as Promise<RunState>;
  const ended = async (): Promise<Extract<RunState, { kind: 'ended' }>> => {
    await page.waitForFunction('["ended", "failed"].includes(window.graft.state.run.value.kind)', { timeout: 240_000, polling: 100 });
    const state = await run();
    if (state.kind !== 'ended') throw new Error(JSON.stringify(state));
    return state;
  };
  const downloaded = async (name: RegExp): Promise<Uint8Array> => {
    for (let i = 0; i < 300; i++) {
      const found = readdirSync(downloads).find((entry) => name.test(entry) && !entry.endsWith('.crdownload'));
      if (found) return readFileSync(join(downloads, found));
      await new Promise((resolve) => { setTimeout(resolve, 100); });
    }
    throw new Error(`no download called ${name}; there are ${readdirSync(downloads).join(', ')}`);
  };

  it('greets, and says what is missing before anything can be trained', async () => {
    await says(/Show Graft some pictures/);
    await says(/Add pictures of at least two classes/, '#train');
    expect(await text('#train')).toMatch(/Choose a base/);
  });

  it('takes an archive, and leaves broken and empty files out with their reasons', async () => {
    const entries = CLASSES.flatMap((label) => Array.from({ length: 8 }, (_, i) => [`photos/${label}/${i + 1}.png`, picture(label, i + 1)] as const));
    const broken = picture('psi', 9).slice(0, 300);
    const archive = zipSync(Object.fromEntries([...entries, ['photos/psi/torn.png', broken], ['photos/yu/empty.png', new Uint8Array(0)]]), { level: 0 });
    await choose('Choose pictures or a zip', [file('photos.zip', archive)]);
    await says(/Added 24 pictures\.[\s\S]*2 files left out/, '#images');
    const report = await text('#images');
    expect(report).toMatch(/torn\.png[\s\S]*cannot|torn\.png[\s\S]*not/);
    expect(report).toMatch(/empty\.png[\s\S]*empty|empty\.png[\s\S]*0 bytes/);
    expect(await text('#images')).toMatch(/24 pictures in 3 classes/);
  });

  it('refuses a broken base in words, and takes the one that ships', async () => {
    await page.evaluate(() => { document.querySelector('#base')?.scrollIntoView(); });
    const own = await page.waitForSelector('#base ::-p-text(Your own)');
    await own?.click();
    await choose('Choose a file', [file('broken.safetensors', new TextEncoder().encode('this is no weights file'))], '#base');
    await says(/broken\.safetensors.*could not be loaded/, '#base');
    const glyphs = await page.waitForSelector('#base ::-p-text(Glyphs)');
    await glyphs?.click();
    await press('Use the glyph base', '#base');
    await says(/Architecture/, '#base');
    expect(await text('#network')).toMatch(/frozen/i);
  }, 60_000);

  it('trains while the page shows it, and accuracy rises', async () => {
    await press('Train', '#train');
    await says(/Epoch/, '#train');
    const { result, validation, curve } = await ended();
    const [first] = result.history;
    const best = result.history[result.bestEpoch - 1];
    expect(curve[0].loss).toBeGreaterThan(2 * curve[curve.length - 1].loss);
    expect(best.validationLoss ?? 0).toBeLessThan(first.validationLoss ?? 0);
    expect(validation?.count).toBe(6);
    expect(validation?.accuracy).toBeGreaterThan(0.6);
    await says(/held-out/, '#train');
    await page.waitForSelector('#results table');
  }, 260_000);

  it('tells a new picture, and shows where it looked', async () => {
    await choose('Choose a picture', [file('new psi.png', picture('psi', 3, 'test'))], '#try');
    await page.waitForSelector('#try .try-verdict');
    const first = await page.$eval('#try .try-bars li', (element) => (element as HTMLElement).innerText);
    expect(first).toMatch(/psi/);
    await press('See where it looked', '#try');
    await page.waitForSelector('dialog[open] canvas', { visible: true });
    await page.keyboard.press('Escape');
    await page.waitForFunction(() => document.querySelector('dialog[open]') === null);
  }, 60_000);

  it('saves a model that loads elsewhere', async () => {
    await press('Save model', '#save');
    await says(/Saved as/, '#save');
    const files = unzipSync(await downloaded(/\.zip$/));
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
  }, 60_000);

  it('has it all again after a reload', async () => {
    await page.reload();
    await says(/24 pictures in 3 classes/, '#images');
    await says(/held-out/, '#train');
    await choose('Choose a picture', [join(folder, 'new psi.png')], '#try');
    await page.waitForSelector('#try .try-bars li');
    expect(await page.$eval('#try .try-bars li', (element) => (element as HTMLElement).innerText)).toMatch(/psi/);
  }, 60_000);

  it('goes on after a reload in the middle of training', async () => {
    await page.evaluate('window.graft.studio.setSettings({ epochs: 60, lr: 0.001 })');
    await press('Train again', '#train');
    await page.waitForFunction('window.graft.state.run.value.kind === "running" && window.graft.state.run.value.history.length >= 2', { timeout: 120_000, polling: 20 });
    await page.reload();
    await says(/Continue from epoch \d+ of 60/, '#train');
    const before = await run();
    expect(before.kind).toBe('interrupted');
    const button = await page.waitForSelector('#train .train-button:not([aria-disabled="true"])', { timeout: 30_000 });
    await button?.click();
    const { result } = await ended();
    expect(result.history.map(({ epoch }) => epoch)).toEqual(result.history.map((_, i) => i + 1));
    expect(result.history.length).toBeGreaterThan(before.kind === 'interrupted' ? before.epoch : 0);
  }, 260_000);

  it('goes on after the device was lost, and says so', async () => {
    await press('Train again', '#train');
    await page.waitForFunction('window.graft.state.run.value.kind === "running" && window.graft.state.run.value.history.length >= 1', { timeout: 120_000, polling: 20 });
    await page.evaluate('window.graft.studio.loseDevice()');
    const { result, notes } = await ended();
    expect(['finished', 'early']).toContain(result.ended);
    expect(notes.join(' ')).toMatch(/lost/);
    await says(/lost/, '#train');
  }, 260_000);

  it('complained of nothing on the console', () => {
    expect(app.complaints).toEqual([]);
  });
});

describe.skipIf(browserPath === null)('the studio without WebGPU', () => {
  let app: OpenedApp;
  beforeAll(async () => { app = await openApp({ webgpu: false }); });
  afterAll(async () => { await app?.close(); });

  it('says which browsers have it, and still prepares pictures', async () => {
    const page = await app.open();
    await page.waitForFunction(() => /WebGPU/.test(document.body.innerText) && /Chrome/.test(document.body.innerText), { timeout: 30_000 });
    const folder = mkdtempSync(join(tmpdir(), 'graft-studio-'));
    const archive = join(folder, 'two.zip');
    writeFileSync(archive, zipSync({ 'psi/1.png': picture('psi', 1), 'yu/1.png': picture('yu', 1) }, { level: 0 }));
    const button = await page.waitForSelector('::-p-aria([name="Choose pictures or a zip"][role="button"])', { visible: true });
    const [chooser] = await Promise.all([page.waitForFileChooser(), button?.click()]);
    await chooser.accept([archive]);
    await page.waitForFunction(() => /2 pictures in 2 classes/.test(document.querySelector<HTMLElement>('#images')?.innerText ?? ''), { timeout: 30_000 });
    expect(app.complaints).toEqual([]);
    rmSync(folder, { recursive: true, force: true });
  }, 90_000);
});
