/**
 * What leaves the studio: the page that classifies offline gives Node's numbers in the installed browser with nothing to
 * reach, names that look like markup stay text, and a saved model opens in Node.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { unzipSync } from 'fflate';
import { launch, type Browser, type Page } from 'puppeteer-core';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkHalf, exportModel, exportPage, exportReport, type Trained } from '../app/worker/saving/exporting';
import { pack, unpack } from '../app/standalone/pack';
import { template } from '../app/plugins/standalonePage';
import { fineTune, openGpu, preprocess, type Classifier, type Gpu } from '../src/index';
import { decodeFile } from '../src/node/decode';
import { loadModelDir } from '../src/node/modelDir';
import { axeComplaints } from './support/axe';
import { PATIENCE, WEBGPU_FLAGS, browserPath } from './support/appPage';
import { collection, stripesClassifier } from './support/stripes';

const HOSTILE = ['</script><script>document.title="taken"</script>', '<!-- <b>bold</b> & "quoted"', "it's ${plain} \u2028 α"];
const PROJECT = '</title><img src=x onerror="document.title=1">';

let gpu: Gpu;
let classifier: Classifier;
let trained: Trained;
let html: string;
const folder = mkdtempSync(join(tmpdir(), 'graft-export-'));
const picture = join(folder, 'picture.png');

beforeAll(async () => {
  gpu = await openGpu();
  classifier = stripesClassifier(gpu);
  const data = collection(8);
  const named = { ...data, classes: HOSTILE, train: { ...data.train, classes: HOSTILE }, validation: { ...data.validation, classes: HOSTILE } };
  const { validation, ...result } = await fineTune(classifier, named, { plan: 'full', epochs: 4, batchSize: 8 });
  trained = {
    classifier, project: PROJECT,
    run: { kind: 'ended', result, validation, classes: HOSTILE, curve: [], notes: ['<i>a note</i>'] },
    classes: HOSTILE.map((name, id) => ({ id, name, images: [...data.train.items, ...data.validation.items].filter(({ label }) => label === id).map(({ name: image }) => ({ id: image, name: 'camera.png' })) })),
    picture: () => Promise.reject(new Error('drawn by the test: there is no file')),
  } as Trained;
  // Neither square nor of the network's size, so that resizing and cropping count.
  const [width, height] = [97, 61];
  const pixels = Uint8Array.from({ length: width * height * 3 }, (_, i) => (Math.floor(i / 3) % width) % 16 < 8 ? 30 + (i % 3) * 60 : 200 - (Math.floor(i / 3 / width) * 2));
  await sharp(pixels, { raw: { width, height, channels: 3 } }).png().toFile(picture);
  html = await template();
});

afterAll(() => {
  gpu.destroy();
  rmSync(folder, { recursive: true, force: true });
});

async function inNode(model: Classifier): Promise<number[]> {
  return [...(await model.predict(preprocess(await decodeFile(picture), model.preprocessing), 1))];
}

async function saved(name: string, options?: { half: boolean }): Promise<string> {
  const path = join(folder, name);
  writeFileSync(path, Buffer.from(await (await exportPage(trained, html, options)).arrayBuffer()));
  return path;
}

describe('weights as text', () => {
  it.each([[0, 4], [1, 4], [4099, 4], [2 ** 20, 2], [2 ** 20 + 3, 4]])('%i bytes come back', async (length, stride) => {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 2654435761) >>> 13);
    const texts: string[] = [];
    for await (const text of pack(bytes, stride)) texts.push(text);
    expect(Buffer.compare(await unpack(texts, { bytes: length, stride }), bytes)).toBe(0);
  });

  it('tells damage and loss', async () => {
    const texts: string[] = [];
    for await (const text of pack(new Uint8Array(2 ** 20 + 10).fill(7), 4)) texts.push(text);
    await expect(unpack(texts.slice(1), { bytes: 2 ** 20 + 10, stride: 4 })).rejects.toThrow('10 of 1048586 bytes of the weights are there');
    const damaged = `${texts[1].slice(0, 18)}${texts[1][18] === 'A' ? 'B' : 'A'}${texts[1].slice(19)}`;
    await expect(unpack([texts[0], damaged], { bytes: 2 ** 20 + 10, stride: 4 })).rejects.toThrow();
  });
});

describe('a saved model', () => {
  it('opens in Node and gives the same numbers', async () => {
    const files = unzipSync(new Uint8Array(await (await exportModel(trained)).arrayBuffer()));
    expect(Object.keys(files).sort()).toEqual(['README.md', 'metrics.json', 'model.json', 'model.safetensors', 'report.html']);
    const dir = join(folder, 'model');
    mkdirSync(dir);
    for (const [name, bytes] of Object.entries(files)) writeFileSync(join(dir, name), bytes);
    const model = await loadModelDir(gpu, dir);
    expect(model.classes).toEqual(HOSTILE);
    expect(await inNode(model)).toEqual(await inNode(classifier));
    model.dispose();
    const text = (name: string): string => new TextDecoder().decode(files[name]);
    expect(text('README.md')).toContain('model.load_state_dict(load_file("model.safetensors"))');
    expect(JSON.parse(text('model.json'))).toMatchObject({ training: { validationAccuracy: trained.run?.validation?.accuracy } });
    expect(text('report.html')).not.toMatch(/<script|<b>bold|<i>a note|<img src=x/);
    expect(text('report.html')).toContain('&lt;i&gt;a note');
  });

  it('has a report of its own, unless nobody knows of the run', async () => {
    expect(await (await exportReport(trained)).text()).toContain('Graft fine-tuning report');
    await expect(exportReport({ ...trained, run: null })).rejects.toThrow('there is no finished run to report on; train first');
    expect(Object.keys(unzipSync(new Uint8Array(await (await exportModel({ ...trained, run: null })).arrayBuffer())))).not.toContain('report.html');
    expect(await checkHalf({ ...trained, run: null })).toBeNull();
  });
});

describe.skipIf(browserPath === null)('the stand-alone page', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launch({ executablePath: browserPath ?? '', headless: true, args: ['--no-sandbox', ...WEBGPU_FLAGS] });
  });
  afterAll(() => browser.close());

  /** From the disk, offline, in a context that knows nothing. */
  async function opened(path: string): Promise<{ page: Page; requests: string[] }> {
    const page = await (await browser.createBrowserContext()).newPage();
    page.setDefaultTimeout(PATIENCE);
    const requests: string[] = [];
    page.on('request', (request) => requests.push(request.url()));
    await page.setOfflineMode(true);
    await page.goto(pathToFileURL(path).href);
    return { page, requests };
  }

  async function judge(page: Page): Promise<{ names: string[]; shares: number[] }> {
    await page.waitForSelector('button.primary:not(:disabled)');
    const input = await page.$('input[type=file]');
    await (input as unknown as { uploadFile(path: string): Promise<void> }).uploadFile(picture);
    await page.waitForSelector('.answers-list li');
    return page.$$eval('.answers-list li', (items) => ({
      names: items.map((item) => item.querySelector('.answers-name')?.textContent ?? ''),
      shares: items.map((item) => Number.parseFloat((item.querySelector('.answers-track span') as HTMLElement).style.width) / 100),
    }));
  }

  it("gives Node's numbers from the disk, offline, and leaves hostile names text", async () => {
    const path = await saved('page.html');
    const { page, requests } = await opened(path);
    const { names, shares } = await judge(page);
    const expected = (await inNode(classifier)).map((share, i) => ({ name: HOSTILE[i], share })).sort((a, b) => b.share - a.share);
    expect(names).toEqual(expected.map(({ name }) => name));
    shares.forEach((share, i) => expect(Math.abs(share - expected[i].share)).toBeLessThan(1e-4));
    expect(shares[0]).toBeGreaterThan(shares[2] + 0.01);
    expect(await page.title()).toBe(PROJECT);
    expect(await page.$eval('h1', (element) => element.textContent)).toBe(PROJECT);
    expect(await page.$$eval('b b, img[src=x]', (found) => found.length)).toBe(0);
    expect(await axeComplaints(page)).toEqual([]);
    expect(requests.filter((url) => !/^(file|blob|data):/.test(url))).toEqual([]);
    await page.close();
  });

  it('is forbidden to reach anything', async () => {
    const { page } = await opened(await saved('page.html'));
    const blocked = await page.evaluate(() => new Promise<string>((resolve) => {
      document.addEventListener('securitypolicyviolation', ({ effectiveDirective }) => resolve(effectiveDirective));
      fetch('https://example.com/').catch(() => undefined);
    }));
    expect(blocked).toBe('connect-src');
    await page.close();
  });

  it('is smaller with float16 weights, and says so', async () => {
    const path = await saved('half.html', { half: true });
    const { page } = await opened(path);
    const { names, shares } = await judge(page);
    const expected = await inNode(classifier);
    names.forEach((name, i) => expect(Math.abs(shares[i] - expected[HOSTILE.indexOf(name)])).toBeLessThan(0.01));
    expect(await page.$eval('footer', (element) => element.textContent)).toContain('with weights rounded to float16');
    const weights = (text: string): number => [...text.matchAll(/<script class="weights"[^>]*>([^<]*)/g)].reduce((sum, [, data]) => sum + data.length, 0);
    expect(weights(readFileSync(path, 'utf8')) / weights(readFileSync(await saved('page.html'), 'utf8'))).toBeLessThan(0.6);
    await page.close();
  });

  it('says what is wrong without WebGPU, and when it is damaged', async () => {
    const path = await saved('page.html');
    const text = readFileSync(path, 'utf8');
    const damaged = join(folder, 'damaged.html');
    writeFileSync(damaged, text.replace(/(<script class="weights" type="text\/plain">.{900})(.)/, (_, before: string, one: string) => before + (one === 'A' ? 'B' : 'A')));
    const broken = await opened(damaged);
    await broken.page.waitForSelector('.page-failure');
    expect(await broken.page.$eval('.page-failure', (element) => element.textContent)).toMatch(/The model in this page is damaged/);
    await broken.page.close();

    const plain = await launch({ executablePath: browserPath ?? '', headless: true, args: ['--no-sandbox', '--disable-features=WebGPU'] });
    const page = await plain.newPage();
    page.setDefaultTimeout(PATIENCE);
    await page.evaluateOnNewDocument(() => Object.defineProperty(navigator, 'gpu', { value: undefined }));
    await page.goto(pathToFileURL(path).href);
    await page.waitForSelector('.page-failure');
    expect(await page.$eval('.page-failure', (element) => element.textContent)).toMatch(/This page needs WebGPU.*has no WebGPU.*Firefox/s);
    await plain.close();
  });
});
