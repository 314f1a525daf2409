/** The examples, run as their readers would: pages in the installed browser, the script in Node. */
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { launch, type Browser, type ElementHandle, type Page } from 'puppeteer-core';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WEBGPU_FLAGS, browserPath } from './support/appPage';
import { ROOT } from './support/cli';

/** A project that has the package installed, as it is built now. */
const project = join(ROOT, '.cache', `test-examples-${process.pid}`);
const dist = join(project, 'node_modules', 'graft-gpu', 'dist');
const TYPES: Readonly<Record<string, string>> = { '.html': 'text/html', '.js': 'text/javascript', '.json': 'application/json', '.css': 'text/css' };

let server: Server;
let origin = '';

beforeAll(async () => {
  mkdirSync(dist, { recursive: true });
  cpSync(join(ROOT, 'package.json'), join(dist, '..', 'package.json'));
  symlinkSync(join(ROOT, 'weights'), join(dist, '..', 'weights'));
  await build({ root: ROOT, logLevel: 'error', build: { outDir: dist, emptyOutDir: true } });
  server = createServer((request, response) => {
    const path = decodeURIComponent((request.url ?? '/').replace(/[?#].*$/, '')).replace(/\/$/, '/index.html');
    try {
      const bytes = readFileSync(path.startsWith('/dist/') ? join(dist, path.slice(6)) : join(ROOT, path));
      response.writeHead(200, { 'content-type': TYPES[extname(path)] ?? 'application/octet-stream', 'content-length': bytes.length }).end(bytes);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.close();
  rmSync(project, { recursive: true, force: true });
});

const pictures = (label: string, count: number): string[] => Array.from({ length: count }, (_, i) => join(ROOT, 'sample/train', label, `0${i + 1}.png`));

describe.skipIf(browserPath === null)('in a browser', () => {
  let browser: Browser;
  const complaints: string[] = [];

  beforeAll(async () => {
    browser = await launch({ executablePath: browserPath ?? '', headless: true, protocolTimeout: 300_000, args: ['--no-sandbox', ...WEBGPU_FLAGS] });
  });
  afterAll(() => browser.close());

  async function open(path: string): Promise<Page> {
    const page = await browser.newPage();
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('console', (message) => { if (message.type() === 'error' && !message.location().url?.endsWith('favicon.ico')) complaints.push(message.text()); });
    await page.goto(origin + path);
    return page;
  }

  async function choose(page: Page, selector: string, ...paths: string[]): Promise<void> {
    await ((await page.$(selector)) as ElementHandle<HTMLInputElement>).uploadFile(...paths);
  }

  /** Waits until the element's text matches, and returns it. */
  async function until(page: Page, selector: string, pattern: RegExp): Promise<string> {
    const find = `(() => { const text = document.querySelector(${JSON.stringify(selector)})?.textContent ?? ''; return ${pattern}.test(text) && text; })()`;
    return (await (await page.waitForFunction(find, { timeout: 120_000 })).jsonValue()) as string;
  }

  it('script: trains two classes and tells a third picture', async () => {
    const page = await open('/examples/script/');
    await choose(page, '#question', join(ROOT, 'sample/test/psi/01.png'));
    await until(page, '#out', /^Train first\.$/);
    await choose(page, '#first', ...pictures('psi', 6));
    await choose(page, '#second', ...pictures('zhe', 6));
    await page.click('#train');
    await until(page, '#out', /^Trained: \d+ % of \d held-out pictures right\.$/);
    await choose(page, '#question', join(ROOT, 'sample/test/psi/02.png'));
    await until(page, '#out', /^02\.png is first \(\d+ %\)\.$/);
    await page.close();
  }, 240_000);

  it('worker: trains a folder, reports, and gives the model out', async () => {
    const folder = join(project, 'glyphs');
    for (const label of ['psi', 'zhe']) for (const [i, path] of pictures(label, 6).entries()) cpSync(path, join(folder, label, `${i}.png`));
    const page = await open('/examples/worker/');
    await choose(page, '#folder', folder);
    await until(page, '#out', /^epoch \d+, loss /);
    expect(await until(page, '#out', /^Trained/)).toMatch(/^Trained on \d+ pictures, \d+ % of \d held-out pictures right\.$/);
    const begins = await page.$eval('#save', async (link) => new TextDecoder().decode((await (await fetch((link as HTMLAnchorElement).href)).arrayBuffer()).slice(8, 40)));
    expect(begins).toContain('{"');
    await page.close();
  }, 240_000);

  it('vite: is built, and names a glyph', async () => {
    const root = join(project, 'vite');
    cpSync(join(ROOT, 'examples/vite'), root, { recursive: true, filter: (path) => !/node_modules|[\\/](dist|public)$/.test(path) });
    await build({ root, logLevel: 'error' });
    const page = await open(`${root.slice(ROOT.length).replaceAll('\\', '/')}/dist/`);
    await until(page, '#status', /^Ready on /);
    await choose(page, '#picture', join(ROOT, 'sample/test/psi/01.png'));
    expect(await until(page, '#answers', /%/)).toMatch(/^(.+: \d+\.\d %){3}$/);
    await page.close();
  }, 240_000);

  it('leaves nothing on the console', () => {
    expect(complaints).toEqual([]);
  });
});

it('node: trains a folder and saves a model', async () => {
  const folder = join(project, 'node');
  cpSync(join(ROOT, 'examples/node'), folder, { recursive: true });
  for (const label of ['psi', 'zhe']) for (const [i, path] of pictures(label, 6).entries()) cpSync(path, join(folder, 'images', label, `${i}.png`));
  const { status, output } = await new Promise<{ status: number; output: string }>((done) => {
    execFile(process.execPath, ['finetune.mjs', 'images', 'base'], { cwd: folder, timeout: 110_000 }, (error, stdout, stderr) => done({ status: error ? 1 : 0, output: stdout + stderr }));
  });
  expect(status, output).toBe(0);
  expect(output).toMatch(/epoch 1: loss \d/);
  expect(output).toMatch(/accuracy on held-out images: (1|0\.\d+)/);
  expect(JSON.parse(readFileSync(join(folder, 'my-model', 'model.json'), 'utf8'))).toMatchObject({ classes: ['psi', 'zhe'] });
});
