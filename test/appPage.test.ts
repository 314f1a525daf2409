/**
 * The studio as people meet it beside the main path: pictures dropped, chosen, pasted and taken, in every width and both
 * colours, in a second tab, with a full disk, without a camera or a GPU.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { browserPath, openApp, type OpenedApp } from './support/appPage';
import { button, choose, closed, counts, drop, lookedOver, pauseWhen, pictures, place, press, ready, sample, says, text, until } from './support/visitor';

/** What `watchCamera` leaves in the page. */
declare const cameras: MediaStreamTrack[];

if (browserPath === null) console.warn('appPage.test.ts is skipped: no Chromium, Chrome or Edge was found; set CHROME_PATH to one');

const EACH = 6;

/** Fresh pages keep the camera's tracks that they are given, to be looked at. */
async function watchCamera(page: Page): Promise<void> {
  await page.evaluate(() => {
    const kept: MediaStreamTrack[] = [];
    (globalThis as unknown as { cameras: MediaStreamTrack[] }).cameras = kept;
    const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (wanted) => {
      const stream = await ask(wanted);
      kept.push(...stream.getTracks());
      return stream;
    };
  });
}
const cameraStates = (page: Page): Promise<string[]> => page.evaluate(() => cameras.map(({ readyState }) => readyState));

describe.skipIf(browserPath === null)('the studio page', () => {
  const folder = mkdtempSync(join(tmpdir(), 'graft-page-'));
  const letters = pictures(join(folder, 'letters'), ['psi', 'yu'], EACH);
  let app: OpenedApp;
  let page: Page;

  beforeAll(async () => {
    app = await openApp();
    page = await ready(await app.open());
    await watchCamera(page);
  });
  afterAll(async () => {
    await app?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('is sound while it is empty', async () => {
    await page.waitForSelector('.welcome');
    expect(await lookedOver(page)).toEqual([]);
  });

  describe('pictures', () => {
    it('come in by a folder that is dropped anywhere, by classes', async () => {
      await drop(page, [letters], { x: 640, y: 500 });
      await says(page, /Added 12 pictures/);
      expect(await counts(page)).toEqual({ psi: EACH, yu: EACH });
      expect(await page.evaluate(() => graft.state.classes.value[0].images.map(({ name }) => name))).toEqual(Array.from({ length: EACH }, (_, i) => `letters/psi/${i + 1}.png`));
    });

    it('dropped on a class belong to it', async () => {
      const { left, y } = await place(page, '[data-class-id] .class-head');
      const one = join(folder, 'one.png');
      writeFileSync(one, sample('psi', 9));
      await drop(page, [one], { x: left + 40, y });
      await until(page, `graft.state.classes.value[0].images.length === ${EACH + 1}`);
      expect(await page.$('dialog[open]')).toBeNull();
    });

    it('that come loose are asked for their class', async () => {
      const paths = [10, 11].map((i) => {
        writeFileSync(join(folder, `loose ${i}.png`), sample('yu', i));
        return join(folder, `loose ${i}.png`);
      });
      await drop(page, paths, { x: 640, y: 30 });
      await says(page, /What is on these 2 files\?/, 'dialog[open]');
      await press(page, 'yu', 'dialog[open]');
      await until(page, `graft.state.classes.value[1].images.length === ${EACH + 2}`);
      await closed(page);
      await drop(page, [paths[0]], { x: 640, y: 30 });
      await says(page, /What is on this picture\?/, 'dialog[open]');
      await page.keyboard.press('Escape');
      await closed(page);
      expect(await counts(page)).toEqual({ psi: EACH + 1, yu: EACH + 2 });
    });

    it('that are pasted are asked for theirs, and can make a new class', async () => {
      await page.evaluate(async (base64) => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], 'image.png', { type: 'image/png' }));
        document.body.dispatchEvent(new ClipboardEvent('paste', { clipboardData: transfer, bubbles: true, cancelable: true }));
      }, Buffer.from(sample('zhe', 1)).toString('base64'));
      await says(page, /What is on this picture\?/, 'dialog[open]');
      await page.type('dialog[open] input', 'zhe');
      await page.keyboard.press('Enter');
      await until(page, 'graft.state.classes.value.length === 3 && graft.state.classes.value[2].images.length === 1');
      expect(await page.evaluate(() => graft.state.classes.value[2].images[0].name)).toMatch(/^pasted \d{4}-\d\d-\d\d [\d.]+\.png$/);
      await page.evaluate(() => graft.studio.removeClass(graft.state.classes.value[2].id));
    });

    it('come from a folder that is chosen', async () => {
      await page.evaluate(() => graft.studio.newProject());
      await page.waitForSelector('.welcome');
      await choose(page, 'Choose a folder', [letters]);
      await says(page, /12 pictures in 2 classes/, '#images');
      expect(await counts(page)).toEqual({ psi: EACH, yu: EACH });
    });
  });

  describe('the camera', () => {
    it('gives one picture at a press and many while Space is held, and is let go of with the dialog', async () => {
      await press(page, 'Take pictures of psi with the camera');
      await press(page, 'Take one', 'dialog[open]');
      await says(page, /1 picture taken/, 'dialog[open]');
      await (await page.$('dialog[open] .camera-hold'))?.focus();
      await page.keyboard.down('Space');
      await says(page, /([4-9]|\d\d) pictures taken/, 'dialog[open]');
      await page.keyboard.up('Space');
      expect(await cameraStates(page)).toEqual(['live']);
      expect(await lookedOver(page, { dialog: true })).toEqual([]);
      const taken = Number(/(\d+) pictures taken/.exec(await text(page, 'dialog[open]'))?.[1]);
      expect(taken).toBeGreaterThanOrEqual(4);
      await press(page, 'Done', 'dialog[open]');
      await closed(page);
      await until(page, "cameras.every(({ readyState }) => readyState === 'ended')");
      await until(page, `graft.state.classes.value[0].images.length === ${EACH + taken}`);
      await says(page, new RegExp(`${EACH + taken} pictures`), '[data-class-id]');
      await until(page, "document.activeElement?.getAttribute('aria-label') === 'Take pictures of psi with the camera'");
      await page.evaluate((keep) => graft.studio.removeImages(graft.state.classes.value[0].images.slice(keep).map(({ id }) => id)), EACH);
    });
  });

  describe('every state', () => {
    it('is sound when a run can begin, while it goes on, and with its results', async () => {
      await press(page, 'Use the glyph base', '#base');
      await page.waitForSelector('.network-part');
      expect(await lookedOver(page), 'ready').toEqual([]);
      await page.evaluate(() => graft.studio.setSettings({ epochs: 10, batchSize: 4 }));
      const paused = pauseWhen(page, 'run.history.length > 0');
      await press(page, 'Train', '#train');
      await paused;
      expect(await lookedOver(page), 'running').toEqual([]);
      await page.evaluate(() => graft.studio.resume());
      await until(page, "graft.state.run.value.kind === 'ended'");
      await page.waitForSelector('#results table');
      // Whatever is folded is opened: what is hidden is not looked at.
      await page.evaluate(() => { for (const fold of document.querySelectorAll('details')) fold.open = true; });
      expect(await lookedOver(page), 'ended').toEqual([]);
    });

    it('is sound in its dialogs', async () => {
      await choose(page, 'Choose a picture', [join(letters, 'psi', '1.png')], '#try');
      await press(page, 'See where it looked', '#try');
      await page.waitForSelector('dialog[open] canvas', { visible: true });
      expect(await lookedOver(page, { dialog: true }), 'Grad-CAM').toEqual([]);
      await page.keyboard.press('Escape');
      await closed(page);
      await press(page, 'Projects');
      await page.waitForSelector('dialog[open] .projects');
      expect(await lookedOver(page, { dialog: true }), 'projects').toEqual([]);
      await page.keyboard.press('Escape');
      await closed(page);
    });
  });

  describe('a trained network', () => {
    it('classifies what the camera sees, and lets go of it when the page is hidden or it is stopped', async () => {
      await press(page, 'Use the camera', '#try');
      await button(page, 'Stop the camera', '#try'); // in the place of the picture that was chosen, and of what was said of it
      await page.waitForSelector('#try .try-verdict');
      expect((await cameraStates(page)).filter((state) => state === 'live')).toHaveLength(1);
      const front = await app.browser.newPage();
      await front.bringToFront();
      await until(page, "document.visibilityState === 'hidden' && cameras.every(({ readyState }) => readyState === 'ended')");
      await page.bringToFront();
      await front.close();
      await until(page, "cameras.some(({ readyState }) => readyState === 'live')");
      await page.waitForSelector('#try .try-verdict');
      await press(page, 'Stop the camera', '#try');
      await until(page, "cameras.every(({ readyState }) => readyState === 'ended')");
    });

    it('opens again from files that are chosen: a model as the base, a project as a project', async () => {
      await page.evaluate(() => graft.studio.renameProject('Letters'));
      await press(page, 'Save model', '#save');
      await press(page, 'Save project', '#save');
      const [model, project] = [await app.downloaded('Letters model.zip'), await app.downloaded('Letters project.zip')];
      const context = await app.browser.createBrowserContext();
      const other = await ready(await app.open('', context));
      await choose(other, 'Choose pictures or a zip', [model]);
      await says(other, /model\.safetensors[\s\S]*2 classes, such as psi, yu/, '#base');
      expect(await counts(other)).toEqual({});
      await choose(other, 'Choose pictures or a zip', [project]);
      await says(other, /Opened “Letters” from a file/);
      expect(await counts(other)).toEqual({ psi: EACH, yu: EACH });
      await other.waitForSelector('#results table');
      await context.close();
    });
  });

  it('leaves a project to the tab that holds it, and gives it on when that closes', async () => {
    const second = await ready(await app.open());
    await press(second, 'Projects');
    await says(second, /Letters\s*open in another tab/, 'dialog[open]');
    const open = await second.waitForSelector('dialog[open] ::-p-aria([name="Open Letters"][role="button"])');
    expect(await open?.evaluate((element) => (element as HTMLButtonElement).disabled)).toBe(true);
    await press(second, 'New project', 'dialog[open]');
    await choose(second, 'Choose a folder', [pictures(join(folder, 'own'), ['zhe', 'xi'], 2)]);
    await says(second, /4 pictures in 2 classes/, '#images');
    expect(await counts(page)).toEqual({ psi: EACH, yu: EACH });
    // Its own changes are kept by now: nothing but the other's end makes it look again.
    await until(second, 'graft.state.projects.value.some(({ images }) => images === 4)');
    await press(second, 'Projects');
    await says(second, /Letters\s*open in another tab/, 'dialog[open]');
    await page.close();
    await press(second, 'Open Letters', 'dialog[open]');
    await says(second, /12 pictures in 2 classes/, '#images');
    page = second;
  });

  it('says in words what a full disk could not keep, goes on, and says no more when there is room', async () => {
    const client = await page.createCDPSession();
    await client.send('Storage.overrideQuotaForOrigin', { origin: app.origin, quotaSize: 1000 });
    await choose(page, 'Add pictures to psi', [8, 9].map((i) => join(pictures(join(folder, 'more'), ['psi'], 9), 'psi', `${i}.png`)));
    await says(page, /Not everything could be kept\.[\s\S]*pictures[\s\S]*no more storage[\s\S]*Save what matters as files/, '.alarms');
    await says(page, /14 pictures in 2 classes/, '#images');
    await until(page, `document.querySelectorAll('[data-class-id] img').length >= ${EACH}`);
    // The trained model knows its classes by name, so this changes it, too.
    await page.evaluate(() => graft.studio.renameClass(graft.state.classes.value[0].id, 'Psi'));
    await says(page, /pictures.*the trained model|the trained model.*pictures/, '.alarms');
    // A run that ends meanwhile is not lost either.
    await page.evaluate(() => graft.studio.setSettings({ epochs: 2 }));
    await press(page, 'Train again', '#train');
    await until(page, "graft.state.run.value.kind === 'ended' && graft.state.run.value.result.history.length === 2");
    await client.send('Storage.overrideQuotaForOrigin', { origin: app.origin });
    await page.evaluate(() => graft.studio.renameProject('Room again'));
    await until(page, "!/could be kept/.test(document.querySelector('.alarms')?.innerText ?? '')");
    await page.reload();
    await says(page, /14 pictures in 2 classes/, '#images');
    await page.waitForSelector('#results table');
    expect(await page.evaluate(() => { const run = graft.state.run.value; return run.kind === 'ended' && [run.classes, run.result.history.length]; })).toEqual([['Psi', 'yu'], 2]);
  });

  it('asked nothing of any other site, and complained of nothing', () => {
    const sites = app.requests.filter((url) => !/^(blob|data):/.test(url)).map((url) => new URL(url).origin);
    expect([...new Set(sites)]).toEqual([app.origin]);
    // Workers are heard, too: it is they that fetch this.
    expect(app.requests).toContain(`${app.origin}/files/base/model.safetensors`);
    expect(app.complaints).toEqual([]);
  });
});

describe.skipIf(browserPath === null)('the studio page without camera and WebGPU', () => {
  const folder = mkdtempSync(join(tmpdir(), 'graft-page-'));
  let app: OpenedApp;
  let page: Page;
  beforeAll(async () => {
    app = await openApp({ webgpu: false, launch: { args: ['--use-fake-ui-for-media-stream=deny'] } });
    page = await ready(await app.open());
  });
  afterAll(async () => {
    await app?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('is sound when it says what is missing', async () => {
    await says(page, /WebGPU[\s\S]*Chrome/, '.alarms');
    expect(await lookedOver(page)).toEqual([]);
  });

  it('says in words that the camera was not allowed, and takes files instead', async () => {
    await choose(page, 'Choose a folder', [pictures(folder, ['psi', 'yu'], 2)]);
    await press(page, 'Take pictures of yu with the camera');
    await says(page, /The camera was not allowed\. Allow it for this page in the browser/, 'dialog[open]');
    await press(page, 'Try again', 'dialog[open]');
    await says(page, /The camera was not allowed/, 'dialog[open]');
    expect(await lookedOver(page, { dialog: true })).toEqual([]);
    await press(page, 'Done', 'dialog[open]');
    writeFileSync(join(folder, 'third.png'), sample('yu', 3));
    await choose(page, 'Add pictures to yu', [join(folder, 'third.png')]);
    await says(page, /5 pictures in 2 classes/, '#images');
    expect(app.complaints).toEqual([]);
  });
});
