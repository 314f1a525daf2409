/** The same fixtures, the same validator, the same verdicts in headless Chromium; and a short fine-tuning there. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { launch, type Browser, type Page } from 'puppeteer-core';
import type { ViteDevServer } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openGpu } from '../src/gpu/device';
import type { Gpu } from '../src/gpu/gpu';
import { openFile } from '../src/node/fileSource';
import { browserFlags, findBrowser } from '../src/node/system.mjs';
import { openWeights } from '../src/weights/open';
import { validateFixture } from '../src/validate/validate';
import { formatVerdicts, type Verdict } from '../src/validate/verdict';
import type { TestPage } from './browser/page';
import { serveRepository } from './support/server';

const executable = findBrowser();
if (executable === null) console.warn('browser.test.ts is skipped: no Chromium, Chrome or Edge was found; set CHROME_PATH to one');

/** Full-size networks take minutes on the software adapter of a browser; Node runs them. */
const folders = ['ops', 'optim', 'train'];
const all = folders.flatMap((folder) =>
  readdirSync(join('test/fixtures', folder))
    .filter((name) => name.endsWith('.safetensors') && (folder !== 'train' || /_w\d+_/.test(name)))
    .map((name) => `${folder}/${name}`));

/** What a fixture asks of an operation, apart from sizes, or what it trains. Values that compilers treat each in their own way are kinds of their own. */
function kind(name: string): string {
  if (/nan|inf|huge|edges|large|offset|masked|ties/.test(name)) return name;
  if (name.startsWith('train/')) return /_(head|layer\d|partly)_/.exec(name)?.[1] ?? 'full';
  const bytes = readFileSync(join('test/fixtures', name));
  const { __metadata__: { op, args }, ...tensors } = JSON.parse(bytes.toString('utf8', 8, 8 + Number(bytes.readBigUInt64LE(0)))) as { __metadata__: { op: string; args: string } };
  const asked = Object.entries(JSON.parse(args) as Record<string, unknown>)
    .map(([key, value]) => (['stride', 'dilation', 'groups', 'optimizer', 'relu'].includes(key) ? [key, value] : key));
  return JSON.stringify([op, Object.keys(tensors).sort(), asked], (_, value: unknown) => (typeof value === 'number' ? value > 1 : value));
}

/** Of each kind the first: Node runs them all (test/fixtures.test.ts), and with GRAFT_EVERY_FIXTURE=1 so does the browser, in minutes. */
const kinds = new Set<string>();
const fixtures = all.filter((name) => process.env.GRAFT_EVERY_FIXTURE === '1' || (!kinds.has(kind(name)) && kinds.add(kind(name))));

describe.skipIf(executable === null)('in a browser', () => {
  let server: ViteDevServer | undefined;
  let browser: Browser | undefined;
  let page: Page;
  let gpu: Gpu | undefined;
  const complaints: string[] = [];

  beforeAll(async () => {
    const served = await serveRepository();
    server = served.server;
    browser = await launch({
      executablePath: executable ?? '', headless: true, protocolTimeout: 600_000,
      args: ['--no-sandbox', ...browserFlags()],
    });
    page = await browser.newPage();
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('console', (message) => { if (message.type() === 'error') complaints.push(message.text()); });
    await page.goto(`${served.origin}/test/browser/index.html`);
    await page.waitForFunction('window.graftTest !== undefined');
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
    gpu?.destroy();
  });

  /** Calls a method of the page's `graftTest` with JSON arguments. */
  function call<K extends keyof TestPage>(method: K, ...args: Parameters<TestPage[K]>): ReturnType<TestPage[K]> {
    return page.evaluate(`window.graftTest.${method}(...${JSON.stringify(args)})`) as ReturnType<TestPage[K]>;
  }

  it('finds an adapter', async () => {
    expect(await call('adapter')).toMatchObject({ description: expect.any(String) as string });
  });

  it('passes the fixtures, with Node\'s verdicts', async () => {
    const verdicts: Verdict[] = [];
    for (let i = 0; i < fixtures.length; i += 32) verdicts.push(...(await call('validate', fixtures.slice(i, i + 32))));
    expect(verdicts.filter(({ status }) => status !== 'pass').map((v) => formatVerdicts([v]))).toEqual([]);

    gpu = await openGpu();
    for (const [i, name] of fixtures.entries()) {
      const file = await openWeights(await openFile(join('test/fixtures', name)));
      const node = await validateFixture(gpu, file, name);
      await file.close();
      const summary = ({ name: n, op, status, loosened, checks }: Verdict): unknown => ({ n, op, status, loosened, checks: checks.map(({ tensor, pass, bound }) => ({ tensor, pass, bound })) });
      expect(summary(verdicts[i])).toEqual(summary(node));
    }
    expect(all.length).toBeGreaterThan(280);
    expect(new Set(verdicts.map(({ op }) => op)).size).toBeGreaterThan(20);
  }, 600_000);

  it('gives a broken file a verdict, not a crash', async () => {
    const [missing, json] = await call('validate', ['ops/nothing.safetensors', 'optim/schedules.json']);
    expect(missing.status).toBe('error');
    expect(json).toMatchObject({ status: 'error', op: '' });
  });

  it('trains a small network on drawn images', async () => {
    const { losses, accuracy, growth } = await call('fineTune', 36);
    const mean = (values: number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
    expect(losses.every(Number.isFinite)).toBe(true);
    expect(mean(losses.slice(-4))).toBeLessThan(mean(losses.slice(0, 4)) / 3);
    expect(accuracy).toBeGreaterThan(0.8);
    expect(growth).toBe(0);
  }, 300_000);

  it('grafts a head on the base, from chosen files, with the public API', async () => {
    const paths = ['ampersand', 'lambda', 'psi', 'yu'].flatMap((label) => [
      ...Array.from({ length: 8 }, (_, i) => `train/${label}/0${i + 1}.png`),
      ...Array.from({ length: 5 }, (_, i) => `test/${label}/0${i + 1}.png`),
    ]);
    const { classes, images, accuracy, features } = await call('transfer', [...paths, 'train/psi/.hidden.png']);
    expect(classes).toEqual(['ampersand', 'lambda', 'psi', 'yu']);
    expect(images).toEqual({ train: 24, validation: 8 });
    expect(features).toEqual({ computed: 32, reused: 0 });
    expect(accuracy).toBeGreaterThan(0.7);
  }, 300_000);

  it('says why an address gives no model', async () => {
    expect(await call('loadError', '/nothing/')).toMatch(/nothing\/model\.json could not be fetched: the server answered 404/);
    expect(await call('loadError', '/test/fixtures/optim/schedules.json')).not.toBe('');
  });

  it('has nothing to complain about on the console', () => {
    expect(complaints.filter((text) => !text.includes('404'))).toEqual([]);
  });
});
