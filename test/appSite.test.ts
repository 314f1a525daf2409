/** The studio by keys alone, from another path of another server, with weights that do not arrive; and nothing leaves the machine. */
import { join } from 'node:path';
import type { ServerResponse } from 'node:http';
import type { Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { browserPath, openApp, type OpenedApp } from './support/appPage';
import { sendFile, serve, type Site } from './support/sites';
import { button, focused, pauseWhen, press, ready, says, text, until } from './support/visitor';

if (browserPath === null) console.warn('appSite.test.ts is skipped: no Chromium, Chrome or Edge was found; set CHROME_PATH to one');

const PUBLISHER = 'https://download.pytorch.org';

describe.skipIf(browserPath === null)('the studio page, as a site', () => {
  /** Sites that a test asked for on purpose. */
  const elsewhere: string[] = [];
  let app: OpenedApp;

  beforeAll(async () => {
    app = await openApp();
  });
  afterAll(async () => {
    await app?.close();
  });

  it('is worked by keys alone, from an empty page to training', async () => {
    const context = await app.browser.createBrowserContext();
    const keys = await ready(await app.open('', context));
    await keys.waitForSelector('.welcome');
    const unseen: string[] = [];
    /** Tab until this is in focus. On the way each stop must be seen, and lie after the one before. */
    const tabTo = async (name: RegExp): Promise<void> => {
      let before = -1;
      for (let i = 0; i < 250; i++) {
        await keys.keyboard.press('Tab');
        const stop = await keys.evaluate(() => {
          const element = document.activeElement as HTMLElement;
          // A radio drawn as a card shows its focus on the card, the plan's slider on the handle of the drawing.
          const near = [element, element.parentElement, ...(element.parentElement?.querySelectorAll('*') ?? [])].filter((one): one is HTMLElement => one instanceof HTMLElement);
          const shown = near.find((one) => {
            const { outlineStyle, outlineWidth } = getComputedStyle(one);
            const { width, height } = one.getBoundingClientRect();
            return width > 2 && height > 2 && outlineStyle !== 'none' && Number.parseFloat(outlineWidth) >= 1;
          });
          const box = (shown ?? element).getBoundingClientRect();
          const inView = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
          const label = element.getAttribute('aria-label') ?? ((element as HTMLInputElement).labels?.[0]?.innerText || element.innerText || element.tagName);
          return { label: label.trim(), place: [...document.querySelectorAll('*')].indexOf(element), tabIndex: element.tabIndex, seen: element === document.body || (shown !== undefined && inView), where: `${shown ? 'outlined' : 'no outline'}, from ${box.left}, ${box.top} to ${box.right}, ${box.bottom} of ${innerWidth} x ${innerHeight}` };
        });
        if (!stop.seen || stop.tabIndex > 0) unseen.push(`${stop.label}: ${stop.where}`);
        if (stop.place < before && before !== -1 && stop.label !== 'BODY' && !/skip to/i.test(stop.label)) unseen.push(`${stop.label} lies before what came before it`);
        before = stop.label === 'BODY' ? -1 : stop.place;
        if (name.test(stop.label)) return;
      }
      throw new Error(`Tab never reaches ${String(name)}`);
    };
    await tabTo(/^Try the sample$/);
    await keys.keyboard.press('Enter');
    await until(keys, "graft.state.classes.value.length > 5 && graft.state.adding.value === null && graft.state.base.value.kind === 'ready'");
    await tabTo(/^Change$/);
    await keys.keyboard.press('Space');
    await button(keys, 'Use the glyph base', '#base');
    await tabTo(/^Glyphs/);
    await keys.keyboard.press('ArrowDown');
    await button(keys, 'Download 46.8 MB', '#base');
    await keys.keyboard.press('ArrowUp');
    await button(keys, 'Use the glyph base', '#base');
    await tabTo(/^Use the glyph base$/);
    // The same base again: that a new one is shown can be told by nothing but that it is another object.
    await keys.evaluate('globalThis.before = graft.state.base.value');
    await keys.keyboard.press('Enter');
    await until(keys, "graft.state.base.value !== before && graft.state.base.value.kind === 'ready' && document.querySelector('.network-slider')");
    await focused(keys, /^Change$/, '#base'); // the button that was pressed is gone
    await tabTo(/^Where training begins/);
    await keys.keyboard.press('ArrowLeft');
    await until(keys, "graft.state.settings.value.plan === 'layer4.1'");
    await keys.keyboard.press('ArrowRight');
    await until(keys, "graft.state.settings.value.plan === 'head'");
    await button(keys, 'Train', '#train');
    await tabTo(/^Train$/);
    // It rests, so that it does not end on the way to the button that stops it.
    const paused = pauseWhen(keys, 'true');
    await keys.keyboard.press('Enter');
    await paused;
    await focused(keys, /./, '#train');
    await tabTo(/^Stop/);
    expect(unseen).toEqual([]);
    await context.close();
  });

  it('never loses the focus: it goes back from a dialog, and on from what is deleted', async () => {
    const context = await app.browser.createBrowserContext();
    const keys = await ready(await app.open('', context));
    await press(keys, 'Try the sample');
    await until(keys, 'graft.state.classes.value.length > 5 && graft.state.adding.value === null');
    const names = await keys.evaluate('graft.state.classes.value.map(({ name }) => name)') as string[];
    const deletes = (name: string): RegExp => new RegExp(`^Delete the class ${name}$`);
    /** Presses it by keys, and waits for the question. */
    const ask = async (name: string): Promise<void> => {
      await (await button(keys, `Delete the class ${name}`)).focus();
      await keys.keyboard.press('Enter');
      await focused(keys, /./, 'dialog[open]');
    };
    await ask(names[1]);
    await keys.keyboard.press('Escape');
    await focused(keys, deletes(names[1]));
    await ask(names[1]);
    await (await button(keys, 'Delete the class', 'dialog[open]')).focus();
    await keys.keyboard.press('Enter');
    await until(keys, `graft.state.classes.value.length === ${names.length - 1}`);
    await focused(keys, deletes(names[2]));
    await ask(names.at(-1) as string);
    await (await button(keys, 'Delete the class', 'dialog[open]')).focus();
    await keys.keyboard.press('Enter');
    await until(keys, `graft.state.classes.value.length === ${names.length - 2}`);
    await focused(keys, /./, '#images');
    await context.close();
  });

  describe('published weights', () => {
    /** How the host of the weights answers. */
    let answer: (response: ServerResponse) => void;
    let finish: () => void;
    let weights: Site;
    let site: Site;
    let tab: Page;

    beforeAll(async () => {
      weights = await serve((_path, response) => {
        response.setHeader('Access-Control-Allow-Origin', '*');
        answer(response);
      });
      // The built page, with another host where the weights are published.
      site = await serve((path, response) => sendFile(join(app.folder, path), response, (script) => script.replaceAll(PUBLISHER, weights.origin)));
      elsewhere.push(weights.origin, site.origin);
      tab = await app.open();
      await tab.goto(site.origin);
      await ready(tab);
    });
    afterAll(async () => {
      await tab.close();
      site.close();
      weights.close();
    });
    const halfWay = (response: ServerResponse): void => {
      response.writeHead(200, { 'Content-Length': '3000000' });
      response.write(Buffer.alloc(1_500_000));
      finish = () => response.end(Buffer.alloc(1_500_000));
    };
    const download = async (): Promise<void> => {
      await tab.locator('#base ::-p-text(ImageNet)').click();
      await says(tab, /From 127\.0\.0\.1/, '#base');
      await press(tab, 'Download 46.8 MB', '#base');
    };

    it('say how far they are, can be cancelled in the middle, and leave the way open', async () => {
      const gone = new Promise<void>((resolve) => {
        answer = (response) => {
          halfWay(response);
          response.on('close', resolve);
        };
      });
      await download();
      await says(tab, /Downloading ResNet18_Weights\.IMAGENET1K_V1[\s\S]*1\.5 MB of 3\.0 MB/, '#base');
      expect(await tab.$eval('#base [role="progressbar"]', (element) => element.getAttribute('aria-valuenow'))).toBe('50');
      await press(tab, 'Cancel', '#base');
      await gone;
      await button(tab, 'Use the glyph base', '#base');
      expect(await text(tab, '#base')).not.toMatch(/could not|Downloading/);
    });

    it('that are another file are explained, and not kept', async () => {
      answer = halfWay;
      await download();
      await says(tab, /1\.5 MB of 3\.0 MB/, '#base');
      finish();
      await says(tab, /ResNet18_Weights\.IMAGENET1K_V1 could not be loaded\.[\s\S]*SHA-256[\s\S]*not f37072fd[\s\S]*thrown away/, '#base');
      expect(await tab.evaluate(async () => {
        const root = await (await navigator.storage.getDirectory()).getDirectoryHandle('graft');
        const kept = await root.getDirectoryHandle('weights').catch(() => null);
        const names: string[] = [];
        if (kept) for await (const name of (kept as unknown as { keys(): AsyncIterable<string> }).keys()) names.push(name);
        return names;
      })).toEqual([]);
    });

    it("tell of the server's failure, of a server that is not there, and of no network", async () => {
      answer = (response) => response.writeHead(503).end();
      await download();
      await says(tab, /could not be loaded\.[\s\S]*the server answered 503 Service Unavailable; try again later/, '#base');
      answer = (response) => response.destroy();
      await download();
      await says(tab, /could not be loaded\.[\s\S]*its server cannot be reached: check the address and the connection/, '#base');
      await tab.setOfflineMode(true);
      await download();
      await says(tab, /could not be loaded\.[\s\S]*this device is offline; connect it and try again/, '#base');
      await tab.setOfflineMode(false);
    });

    it('are not needed to go on', async () => {
      await tab.locator('#base ::-p-text(Glyphs)').click();
      await press(tab, 'Use the glyph base', '#base');
      await says(tab, /Graft's glyph base[\s\S]*Architecture/, '#base');
      expect(await text(tab, '#base')).not.toMatch(/could not/);
    });
  });

  it('works from any path of any server of files', async () => {
    const missing: string[] = [];
    const site = await serve((path, response) => {
      const inside = path.startsWith('/some/path/');
      if (!(inside && sendFile(join(app.folder, path.slice('/some/path'.length)), response))) missing.push(path);
      if (!inside) response.writeHead(404).end();
    });
    elsewhere.push(site.origin);
    const tab = await app.open();
    try {
      await tab.goto(`${site.origin}/some/path/`);
      await ready(tab);
      await press(tab, 'Use the glyph base', '#base');
      await says(tab, /Architecture/, '#base');
      await Promise.all([tab.waitForNavigation(), tab.locator('nav ::-p-text(Validate)').click()]);
      await press(tab, "Run the repository’s own");
      await says(tab, /\d+ of \d+/, '#run');
      await Promise.all([tab.waitForNavigation(), tab.locator('nav ::-p-text(Benchmark)').click()]);
      await tab.waitForSelector('#adapter');
      await says(tab, /swiftshader|software|adapter/i, '#adapter');
      expect(missing.filter((path) => path !== '/favicon.ico')).toEqual([]);
    } finally {
      await tab.close();
      site.close();
    }
  });

  it('sent nothing anywhere but to its own site and, when asked to, to the host of the weights', () => {
    const sites = app.requests.filter((url) => !/^(blob|data):/.test(url)).map((url) => new URL(url).origin);
    expect([...new Set(sites)].sort()).toEqual([app.origin, ...elsewhere].sort());
    // Workers are heard, too: it is they that fetch these.
    for (const wanted of ['files/base/model.safetensors', 'files/sample.zip']) expect(app.requests.some((url) => url.endsWith(wanted)), wanted).toBe(true);
  });

  it('complained of nothing but the downloads that failed', () => {
    expect(app.complaints.filter((words) => !/Failed to load resource/.test(words))).toEqual([]);
  });
});
