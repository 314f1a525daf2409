/**
 * The studio's worker, asked through the page as the page asks it: pictures in and out of storage, runs that are broken
 * off by a reload or a lost device and end the same, several tabs, a full disk, and published weights.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { zipSync } from 'fflate';
import type { Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { InterruptedRun, LiveRun, RunState, StudioState } from '../app/shared/protocol';
import { browserPath, openApp, type OpenedApp } from './support/appPage';
import { EACH, SETTINGS, add, begin, bits, card, chooseDropped, counts, ended, folder, read, refusal, sent, trainUntil, weights } from './support/studioWorker';
import { ready, sample, until } from './support/visitor';

if (browserPath === null) console.warn('appWorker.test.ts is skipped: no Chromium, Chrome or Edge was found; set CHROME_PATH to one');

describe.skipIf(browserPath === null)('the studio\'s worker', () => {
  let app: OpenedApp;
  let page: Page;
  let unbroken: unknown;

  beforeAll(async () => {
    app = await openApp();
    page = await ready(await app.open());
  });
  afterAll(async () => {
    await app?.close();
  });

  it('adds pictures by their folders, and says what it leaves out and why', async () => {
    const broken = sample('xi', 1).slice(0, 200);
    const report = await add(page, [
      ...folder, sent('letters/psi/again.png', sample('psi', 1)), sent('letters/psi/broken.png', broken), sent('letters/ya/empty.png', ''),
      sent('letters/ya/notes.txt', 'hello'), sent('letters/ya/.DS_Store', 'x'), sent('letters/xi/photo.heic', 'x'),
    ], null);
    expect(report.added).toBe(2 * EACH);
    expect(report.duplicates).toEqual(['letters/psi/again.png']);
    expect(Object.fromEntries(report.skipped.map(({ name, reason }) => [name, reason]))).toEqual({
      'letters/psi/broken.png': expect.stringContaining('begins as a PNG') as string,
      'letters/ya/empty.png': expect.stringContaining('0 bytes') as string,
      'letters/ya/notes.txt': expect.stringContaining('.txt') as string,
      'letters/xi/photo.heic': expect.stringContaining('JPEG') as string,
    });
    const classes = await read(page, 'classes');
    expect(counts(classes)).toEqual({ psi: EACH, ya: EACH });
    expect(classes[0].images[0]).toEqual({ id: createHash('sha256').update(sample('psi', 1)).digest('hex'), name: 'letters/psi/1.png' });
    const size = await page.evaluate(async (id) => (await createImageBitmap(await graft.studio.thumbnail(id))).width, classes[0].images[0].id);
    expect(size).toBeGreaterThan(0);
  });

  it('opens archives, whatever is in them', async () => {
    const png = (label: string, i: number): [Uint8Array, { level: 0 }] => [sample(label, i), { level: 0 }];
    const zip = zipSync({
      'all/train/xi/a.png': png('xi', 1), 'all/train/zeta/../../../b.png': png('zeta', 1), 'all/test/xi/c.png': png('xi', 2),
      '__MACOSX/all/._a.png': [new Uint8Array(10), {}], 'all/.hidden/x.png': png('xi', 3), 'all/val/zeta/bad.png': [new TextEncoder().encode('no picture'), {}],
    });
    const report = await add(page, [sent('more.zip', zip), sent('cut.zip', zip.slice(0, zip.length / 2)), sent('psi/inner.zip', zipSync({ 'p7.png': sample('psi', 7) }))], null);
    expect(report.added).toBe(4);
    expect(report.skipped.map(({ name }) => name).sort()).toEqual(['all/val/zeta/bad.png', 'cut.zip']);
    const classes = await read(page, 'classes');
    expect(counts(classes)).toEqual({ psi: EACH, ya: EACH, inner: 1, xi: 2, zeta: 1 });
    expect(classes.find(({ name }) => name === 'xi')?.images.map(({ name, part }) => [name, part])).toEqual([['all/train/xi/a.png', undefined], ['all/test/xi/c.png', 'test']]);
    // Of a kilobyte it says that it unpacks to a gigabyte.
    const bomb = zipSync({ 'a/bomb.png': new Uint8Array(2 ** 20) });
    new DataView(bomb.buffer).setUint32(Buffer.from(bomb).indexOf('PK\x01\x02', 0, 'latin1') + 24, 2 ** 30, true);
    expect(await add(page, [sent('bomb.zip', bomb)], null)).toMatchObject({ added: 0, skipped: [{ name: 'bomb.zip', reason: expect.stringContaining('claims 1073741824 bytes') as string }] });
  });

  it('changes classes, and refuses what makes no sense', async () => {
    const [psi, ya, inner, xi, zeta] = await read(page, 'classes');
    await page.evaluate(async (ids, to) => graft.studio.moveImages(ids, to), inner.images.map(({ id }) => id), ya.id);
    await page.evaluate(async (ids) => graft.studio.removeImages(ids), [...inner.images, ...zeta.images].map(({ id }) => id));
    for (const { id } of [inner, xi, zeta]) await page.evaluate((one) => graft.studio.removeClass(one), id);
    expect(counts(await read(page, 'classes'))).toEqual({ psi: EACH, ya: EACH });
    expect(await refusal(page, `renameClass(${psi.id}, ' YA ')`)).toContain("called 'ya' already");
    await page.evaluate((id) => graft.studio.renameClass(id, ' Psi\n'), psi.id);
    expect((await read(page, 'classes')).map(({ id, name }) => [id, name])).toEqual([[psi.id, 'Psi'], [ya.id, 'ya']]);
    expect(await refusal(page, 'setSettings({ batchSize: 0 })')).toContain('batchSize');
    expect(await refusal(page, 'train()')).toContain('base');
    expect(await refusal(page, 'pause()')).toContain('No training');
    expect(await refusal(page, "classify(new Blob(['x']))")).toMatch(/decode/);
  });

  it('takes a dropped base by what is in it', async () => {
    expect(await chooseDropped(page, [sent('broken.pth', 'no weights at all')])).toMatchObject({ kind: 'failed', message: expect.stringContaining('broken.pth') as string });
    const state = await chooseDropped(page, [sent('tiny.safetensors', weights(4, 3)), sent('model.json', JSON.stringify(card))]);
    expect(state).toMatchObject({ kind: 'ready', info: { title: 'tiny.safetensors', card: { architecture: 'resnet18', width: 4, classes: ['a', 'b', 'c'] } } });
    await page.evaluate((settings) => graft.studio.setSettings(settings), SETTINGS);
    const [head, full] = await page.evaluate(() => graft.studio.planCosts(['head', 'full']));
    expect(head.trainedParameters).toBe(2 * (32 + 1));
    expect(full.memoryBytes).toBeGreaterThan(head.memoryBytes);
  });

  it('trains, rests in a pause, and can be used meanwhile', async () => {
    await trainUntil(page, 3);
    const before = await read(page, 'run') as LiveRun;
    const [{ images: [{ id }] }] = await read(page, 'classes');
    const answer = await page.evaluate(async (one) => graft.studio.classify(await graft.studio.thumbnail(one)), id);
    expect(answer.top.map(({ name }) => name).sort()).toEqual(['Psi', 'ya']);
    expect(answer.top[0].probability + answer.top[1].probability).toBeCloseTo(1, 5);
    expect(await read(page, 'run')).toMatchObject({ paused: true, done: before.done });
    expect(await refusal(page, 'train()')).toContain('already');
    expect(await refusal(page, "chooseBase({ kind: 'shipped' })")).toContain('stop it first');
    await page.evaluate(() => graft.studio.resume());
    const run = await ended(page);
    unbroken = bits(run);
    expect(run.result.history).toHaveLength(SETTINGS.epochs);
    expect(run.result.history[5].trainLoss).toBeLessThan(run.result.history[0].trainLoss);
    const ids = (await read(page, 'classes')).flatMap(({ images }) => images.map((image) => image.id));
    expect(run.validation?.predictions.every(({ name }) => ids.includes(name))).toBe(true);
    expect(await read(page, 'usable')).toBe(true);
  });

  it('goes on after a reload, to the same result', async () => {
    await trainUntil(page, 3);
    await page.reload();
    await ready(page);
    const broken = await read(page, 'run') as InterruptedRun;
    expect(broken).toMatchObject({ kind: 'interrupted', epochs: SETTINGS.epochs, anew: null });
    expect(broken.epoch).toBeGreaterThanOrEqual(2);
    expect(broken.curve.length).toBeGreaterThan(0);
    expect(await read(page, 'settings')).toMatchObject(SETTINGS);
    await page.evaluate(() => graft.studio.setSettings({ epochs: 5 }));
    expect(await read(page, 'run')).toMatchObject({ anew: expect.stringContaining('The settings were changed') as string });
    await page.evaluate(() => graft.studio.setSettings({ epochs: 6 }));
    await until(page, "graft.state.base.value.kind === 'ready'");
    await page.evaluate(() => graft.studio.train());
    expect(bits(await ended(page))).toEqual(unbroken);
  });

  it('goes on after a lost device, to the same result', async () => {
    await trainUntil(page, 4);
    await page.evaluate(() => graft.studio.loseDevice());
    await page.evaluate(() => graft.studio.resume());
    const run = await ended(page);
    expect(bits(run)).toEqual(unbroken);
    expect(run.notes.join(' ')).toMatch(/lost/);
    // And when nothing goes on, the model comes back by itself.
    await page.evaluate(() => graft.studio.loseDevice());
    const answer = await page.evaluate(async (one) => graft.studio.classify(await graft.studio.thumbnail(one)), (await read(page, 'classes'))[0].images[0].id);
    expect(answer.top).toHaveLength(2);
  });

  it('stops with the best epoch so far, and keeps the last model where there is none', async () => {
    await begin(page);
    await page.evaluate(() => graft.studio.stop());
    expect(bits(await ended(page))).toEqual(unbroken);
    await trainUntil(page, 3);
    await page.evaluate(() => graft.studio.stop());
    const { result } = await ended(page);
    expect(result.ended).toBe('interrupted');
    expect(result.bestEpoch).toBeGreaterThan(0);
  });

  it('writes a project into one file and opens it again', async () => {
    const before = { project: await read(page, 'project'), classes: await read(page, 'classes'), run: await read(page, 'run') };
    await page.evaluate(() => graft.studio.renameClass(graft.state.classes.value[1].id, 'Ya'));
    for (const [bytes, reason] of [['no archive', 'no exported project'], [zipSync({ 'a.png': sample('ya', 1) }), 'project.json']] as const) {
      expect(await refusal(page, `importProject(new Blob([Uint8Array.from(${JSON.stringify([...Buffer.from(bytes)])})]))`)).toContain(reason);
    }
    const damaged = await page.evaluate(async () => {
      const blob = await graft.studio.exportProject();
      const bytes = new Uint8Array(await blob.arrayBuffer());
      (globalThis as { kept?: Blob }).kept = blob;
      bytes[bytes.findIndex((byte, i) => byte === 0x89 && bytes[i + 1] === 0x50 && bytes[i + 2] === 0x4e) + 100] ^= 1; // in the first picture
      return graft.studio.importProject(new Blob([bytes])).then(() => 'nothing', (error: Error) => error.message);
    });
    expect(damaged).toContain('not the one that was exported');
    expect(await read(page, 'project')).toEqual(before.project);
    await page.evaluate(() => graft.studio.importProject((globalThis as { kept?: Blob }).kept as Blob));
    expect((await read(page, 'project')).id).not.toBe(before.project.id);
    expect(counts(await read(page, 'classes'))).toEqual({ Psi: EACH, Ya: EACH });
    const run = await read(page, 'run') as Extract<RunState, { kind: 'ended' }>;
    expect(run.classes).toEqual(['Psi', 'Ya']);
    expect(run.validation).toEqual((before.run as typeof run).validation);
    const { top } = await page.evaluate(async (one) => graft.studio.classify(await graft.studio.thumbnail(one)), before.classes[1].images[0].id);
    expect(top.map(({ name }) => name).sort()).toEqual(['Psi', 'Ya']);
    expect((await read(page, 'projects')).filter(({ images }) => images === 2 * EACH)).toHaveLength(2);
  });

  it('leaves a project to the tab that has it open', async () => {
    const mine = (await read(page, 'project')).id;
    const other = await ready(await app.open());
    const theirs = (await read(other, 'project')).id;
    expect(theirs).not.toBe(mine);
    expect((await read(other, 'projects')).find(({ id }) => id === mine)).toMatchObject({ elsewhere: true });
    expect(await refusal(other, `openProject('${mine}')`)).toContain('another tab');
    expect(await refusal(other, `deleteProject('${mine}')`)).toContain('another tab');
    await other.evaluate(() => graft.studio.newProject());
    const [here, there] = await Promise.all([add(page, [sent('x/1.png', sample('zhe', 1))], null), add(other, [sent('x/1.png', sample('zhe', 1))], null)]);
    expect([here.added, there.added]).toEqual([1, 1]);
    await page.evaluate(() => graft.studio.newProject());
    await until(other, `graft.state.projects.value.some((one) => one.id === '${mine}' && !one.elsewhere)`);
    await other.evaluate((id) => graft.studio.openProject(id), mine);
    expect(counts(await read(other, 'classes'))).toEqual({ Psi: EACH, Ya: EACH, x: 1 });
    await other.close();
  });

  it('explains a full disk, and loses nothing', async () => {
    await page.evaluate(() => graft.studio.newProject());
    await add(page, folder.slice(0, EACH), null);
    await page.evaluate(() => graft.studio.renameProject('Full'));
    await until(page, "graft.state.projects.value.some(({ name, images }) => name === 'Full' && images === 6)");
    const session = await page.createCDPSession();
    await session.send('Storage.overrideQuotaForOrigin', { origin: app.origin, quotaSize: 1000 });
    expect((await add(page, folder.slice(EACH), null)).added).toBe(EACH);
    await until(page, 'graft.state.storage.value.problem !== null');
    expect((await read(page, 'storage')).problem).toMatch(/Not kept: pictures.*no more storage.*unharmed/);
    const size = await page.evaluate(async (id) => (await graft.studio.thumbnail(id)).size, (await read(page, 'classes'))[1].images[0].id);
    expect(size).toBeGreaterThan(0);
    await session.send('Storage.overrideQuotaForOrigin', { origin: app.origin });
    await page.evaluate(() => graft.studio.renameProject('Room again'));
    await until(page, "graft.state.storage.value.problem === null && graft.state.projects.value.some(({ name, images }) => name === 'Room again' && images === 12)");
    await page.reload();
    await ready(page);
    expect(await read(page, 'project')).toMatchObject({ name: 'Room again' });
    expect(counts(await read(page, 'classes'))).toEqual({ psi: EACH, ya: EACH });
  });

  it('downloads published weights once, and only the right ones', async () => {
    const file = weights(4, 1000);
    const hash = createHash('sha256').update(file).digest('hex').slice(0, 8);
    let wrong = true;
    let downloads = 0;
    /** The site, whose table of published weights has this file in the place of another. */
    const patched = async (path: string): Promise<{ status: number; type: string; body: Uint8Array | string }> => {
      const response = await fetch(`${app.origin}${path}`);
      const type = response.headers.get('content-type') ?? '';
      if (!path.endsWith('.js')) return { status: response.status, type, body: new Uint8Array(await response.arrayBuffer()) };
      const script = (await response.text()).replaceAll('https://download.pytorch.org/models/resnet18-f37072fd.pth', `${origin}/weights.safetensors`)
        .replaceAll('resnet18-f37072fd.pth', 'resnet18-f37072fd.safetensors').replace(/(sha256_prefix\\?"\s*:\s*\\?")f37072fd/g, (_, before: string) => `${before}${hash}`);
      return { status: response.status, type, body: script };
    };
    const server = createServer((request, response) => {
      if (request.url === '/weights.safetensors') {
        downloads++;
        response.end(wrong ? '<!doctype html>' : file);
      } else void patched(request.url ?? '/').then(({ status, type, body }) => response.writeHead(status, { 'Content-Type': type }).end(body));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const tab = await app.browser.newPage();
    await tab.goto(origin);
    await ready(tab);
    const choose = async (): Promise<StudioState['base']> => {
      await tab.evaluate(() => graft.studio.chooseBase({ kind: 'published', name: 'resnet18-f37072fd' }));
      return read(tab, 'base');
    };
    expect(await choose()).toMatchObject({ kind: 'failed', message: expect.stringContaining(`not ${hash}`) as string });
    wrong = false;
    const state = await choose();
    expect(state).toMatchObject({ kind: 'ready', info: { title: 'ResNet18_Weights.IMAGENET1K_V1', card: { base: 'resnet18-f37072fd', preprocessing: { cropSize: 224 } } } });
    expect(state.kind === 'ready' && state.info.card.classes?.[0]).toBe('tench');
    const before = downloads;
    await tab.evaluate(() => graft.studio.chooseBase({ kind: 'shipped' }));
    wrong = true; // whoever asks again is told
    expect(await choose()).toMatchObject({ kind: 'ready' });
    expect(downloads).toBe(before);
    await tab.close();
    server.close();
  });

  it('raised no complaint on the way', () => {
    expect(app.complaints.filter((text) => !/Failed to load resource/.test(text))).toEqual([]);
  });
});
