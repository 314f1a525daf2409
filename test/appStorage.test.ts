/**
 * The studio's worker and what it keeps: on browsers that write only in Safari's older way, on those that lend no storage,
 * beside other tabs, and when the whole browser is killed.
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StudioState } from '../app/shared/protocol';
import { browserPath, openApp, type OpenedApp } from './support/appPage';
import { sendFile, serve, type Site } from './support/sites';
import { EACH, SETTINGS, add, bits, card, chooseDropped, counts, ended, folder, read, refusal, sent, trainUntil, weights } from './support/studioWorker';
import { ready, sample, until } from './support/visitor';

if (browserPath === null) console.warn('appStorage.test.ts is skipped: no Chromium, Chrome or Edge was found; set CHROME_PATH to one');

/** A run of seconds that is still long enough to be broken off in the middle. */
const RUN = { ...SETTINGS, epochs: 3 };

/** Pictures, settings and the base: all of it is kept then. */
async function prepare(page: Page, settings: object = RUN): Promise<void> {
  expect((await add(page, folder, null)).added).toBe(2 * EACH);
  await page.evaluate((patch) => graft.studio.setSettings(patch), settings);
  expect(await chooseDropped(page, [sent('tiny.safetensors', weights(4, 3)), sent('model.json', JSON.stringify(card))])).toMatchObject({ kind: 'ready' });
}

/** Trains to the end, from the start or from what was kept. */
async function train(page: Page): ReturnType<typeof ended> {
  await until(page, "graft.state.base.value.kind === 'ready'");
  await page.evaluate(() => graft.studio.train());
  return ended(page);
}

/** Paths of all that the browser keeps for the page's site. */
function keptFiles(page: Page): Promise<string[]> {
  return page.evaluate(async () => {
    const found: string[] = [];
    const walk = async (folderHandle: FileSystemDirectoryHandle, path: string): Promise<void> => {
      for await (const [name, handle] of folderHandle.entries()) {
        if (handle.kind === 'directory') await walk(handle as FileSystemDirectoryHandle, `${path}${name}/`);
        else found.push(path + name);
      }
    };
    await walk(await navigator.storage.getDirectory(), '');
    return found.sort();
  });
}

describe.skipIf(browserPath === null)('what the studio keeps', () => {
  const profile = mkdtempSync(join(tmpdir(), 'graft-profile-'));
  let app: OpenedApp;
  const sites: Site[] = [];
  /** What came of a run that was broken off by a reload; of an unbroken one, too, as the second test of it finds. */
  let resumed: unknown;

  const launch = async (): Promise<OpenedApp> => openApp({ launch: { userDataDir: profile } });
  /** The app from a site of its own whose scripts begin with this. */
  const siteWith = async (begin_: string, change = (script: string): string => script, files: Readonly<Record<string, Uint8Array>> = {}): Promise<Site> => {
    const site = await serve((path, response) => {
      if (path in files) response.end(files[path]);
      else sendFile(path === '/' ? `${app.folder}/` : join(app.folder, path), response, (script) => `${begin_}\n${change(script)}`);
    });
    sites.push(site);
    return site;
  };
  const visit = async (site: Site): Promise<Page> => {
    const page = await app.browser.newPage();
    await page.goto(site.origin);
    return ready(page);
  };

  beforeAll(async () => {
    app = await launch();
  });
  afterAll(async () => {
    for (const site of sites) site.close();
    await app?.close();
    rmSync(profile, { recursive: true, force: true });
  });

  it('computes features once: for runs, for maps, and whatever becomes of the classes', async () => {
    const page = await ready(await app.open());
    await prepare(page, { ...SETTINGS, plan: 'head', epochs: 2 });
    const known = async (): Promise<number> => (await page.evaluate(() => graft.studio.planCosts(['head'])))[0].known;
    expect(await known()).toBe(0);
    expect((await train(page)).result.features).toEqual({ computed: 2 * EACH, reused: 0 });
    expect(await known()).toBe(2 * EACH);
    const [psi, ya] = await read(page, 'classes');
    await page.evaluate((id) => graft.studio.renameClass(id, 'Psi'), psi.id);
    await add(page, [sent('letters/xi/1.png', sample('xi', 1))], null);
    await page.reload();
    await ready(page);
    expect((await train(page)).result.features).toEqual({ computed: 1, reused: 2 * EACH });
    expect((await page.evaluate(() => graft.studio.embeddingMap())).points).toHaveLength(2 * EACH + 1);
    await page.evaluate((id) => graft.studio.removeClass(id), ya.id);
    expect((await train(page)).result.features).toEqual({ computed: 0, reused: EACH + 1 });
    // Those of the class that is gone are forgotten.
    const rows = await page.evaluate(async (id) => {
      const projects = await (await (await navigator.storage.getDirectory()).getDirectoryHandle('graft')).getDirectoryHandle('projects');
      const features = await (await projects.getDirectoryHandle(id)).getDirectoryHandle('features');
      let bytes = 0;
      for await (const handle of features.values()) if (!handle.name.endsWith('.of')) bytes += (await (handle as FileSystemFileHandle).getFile()).size - 8;
      return bytes / (32 + 4 * 32);
    }, (await read(page, 'project')).id);
    expect(rows).toBe(EACH + 1);
    await page.close();
  });

  it('in the way of older Safari: pictures, a run that goes on after a reload, weights, and what is saved', async () => {
    const file = weights(4, 1000);
    const hash = createHash('sha256').update(file).digest('hex').slice(0, 8);
    const site: Site = await siteWith('globalThis.FileSystemFileHandle && delete FileSystemFileHandle.prototype.createWritable;', (script) => script
      .replaceAll('https://download.pytorch.org/models/resnet18-f37072fd.pth', `${site.origin}/weights.safetensors`)
      .replaceAll('resnet18-f37072fd.pth', 'resnet18-f37072fd.safetensors').replace(/(sha256_prefix\\?"\s*:\s*\\?")f37072fd/g, (_, before: string) => `${before}${hash}`), { '/weights.safetensors': file });
    const page = await visit(site);
    expect(await page.evaluate(() => 'createWritable' in FileSystemFileHandle.prototype)).toBe(false);
    await prepare(page);
    await trainUntil(page, 2);
    await page.reload();
    await ready(page);
    expect(await read(page, 'run')).toMatchObject({ kind: 'interrupted', anew: null });
    expect(counts(await read(page, 'classes'))).toEqual({ psi: EACH, ya: EACH });
    resumed = bits(await train(page));
    const sizes = await page.evaluate(async () => [(await graft.studio.exportProject()).size, (await graft.studio.exportModel()).size]);
    expect(Math.min(...sizes)).toBeGreaterThan(10_000);
    const choose = (): Promise<StudioState['base']> => page.evaluate(() => graft.studio.chooseBase({ kind: 'published', name: 'resnet18-f37072fd' })).then(() => read(page, 'base'));
    expect(await choose()).toMatchObject({ kind: 'ready' });
    expect(await read(page, 'storage')).toMatchObject({ problem: null });
    const kept = await keptFiles(page);
    expect(kept).toEqual(expect.arrayContaining([expect.stringMatching(/weights\/resnet18/), expect.stringMatching(/model\.safetensors$/)]));
    expect(kept.filter((path) => path.endsWith('.part'))).toEqual([]);
    await page.close();
  });

  it('only in memory, and says so, where the browser lends no storage', async () => {
    const page = await visit(await siteWith("StorageManager.prototype.getDirectory = () => Promise.reject(new DOMException('not here', 'SecurityError'));"));
    expect((await read(page, 'storage')).problem).toMatch(/lends the page no storage.*lasts only as long as this tab/);
    await prepare(page);
    expect(bits(await train(page))).toEqual(resumed);
    expect(await page.evaluate(async () => (await graft.studio.exportProject()).size)).toBeGreaterThan(10_000);
    await page.reload();
    await ready(page);
    expect(await read(page, 'classes')).toEqual([]);
    await page.close();
  });

  it('whole, when a tab is closed while it trains or exports, and another takes its project', async () => {
    let here = await ready(await app.open());
    await here.evaluate(() => graft.studio.newProject());
    await prepare(here);
    const mine = (await read(here, 'project')).id;
    for (const meanwhile of ['trains', 'exports']) {
      const there = await ready(await app.open());
      await trainUntil(here, 2);
      expect(await refusal(there, `openProject('${mine}')`)).toContain('another tab');
      if (meanwhile === 'exports') await here.evaluate(() => void graft.studio.exportProject());
      else await here.evaluate(() => graft.studio.resume());
      await here.close();
      await until(there, `graft.state.projects.value.some((one) => one.id === '${mine}' && !one.elsewhere)`);
      await there.evaluate((id) => graft.studio.openProject(id), mine);
      expect(counts(await read(there, 'classes'))).toEqual({ psi: EACH, ya: EACH });
      const run = await read(there, 'run');
      if (meanwhile === 'exports') expect(run).toMatchObject({ kind: 'interrupted', anew: null }); // else it may just have ended
      expect(bits(run.kind === 'ended' ? run : await train(there))).toEqual(resumed);
      here = there;
    }
    await here.close();
  });

  it('whole, when the browser is killed in the middle of a run', async () => {
    const site = await siteWith(''); // that outlives the browser
    await prepare(await visit(site));
    // Chromium writes down where a new site's files are with a delay, or when it is closed: it has been here before.
    await app.close();
    app = await launch();
    const page = await visit(site);
    await until(page, "graft.state.base.value.kind === 'ready'");
    await trainUntil(page, 2);
    await page.evaluate(() => graft.studio.resume());
    const gone = new Promise((resolve) => { app.browser.process()?.once('exit', resolve); });
    app.browser.process()?.kill('SIGKILL');
    await gone;
    await app.close().catch(() => undefined);
    app = await launch();
    const again = await visit(site);
    expect(counts(await read(again, 'classes'))).toEqual({ psi: EACH, ya: EACH });
    const run = await read(again, 'run');
    if (run.kind !== 'ended') expect(run).toMatchObject({ kind: 'interrupted', anew: null });
    expect(bits(run.kind === 'ended' ? run : await train(again))).toEqual(resumed);
  });
});
