/** The bench page and the validate page, as a visitor uses them, in Chromium on its software adapter. */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ElementHandle, Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openGpu } from '../src/gpu/device';
import { openFile } from '../src/node/fileSource';
import { validateFixture } from '../src/validate/validate';
import type { Verdict } from '../src/validate/verdict';
import { openWeights } from '../src/weights/open';
import { axeComplaints } from './support/axe';
import { browserPath, openApp, type OpenedApp } from './support/appPage';
import { says, until } from './support/visitor';

interface KernelRow {
  readonly id: string;
  readonly ms: Record<string, number[]>;
  readonly deviation: Record<string, number>;
  readonly failed: Record<string, string>;
}

const ENGINES = existsSync('bench/peers/node_modules/@tensorflow/tfjs-core') ? ['graft', 'tfjs'] : ['graft'];
/** Of every kind; none of a whole network. */
const NAMES = [
  'ops/add_channels.', 'ops/batch_norm_eval.', 'ops/conv2d_dilation2.', 'ops/conv2d_1x1_nan', 'ops/conv2d_depthwise_stride2',
];

let dir = '';
let app: OpenedApp;

describe.skipIf(browserPath === null)('beside the studio', () => {
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'graft-app-bench-'));
    app = await openApp();
  });
  afterAll(async () => {
    await app?.close();
    rmSync(dir, { recursive: true, force: true });
  });

  const button = async (page: Page, name: string): Promise<void> => {
    const found = await page.waitForSelector(`::-p-xpath(//main//button[normalize-space()="${name}" and not(@disabled)])`);
    await found?.focus();
    await page.keyboard.press('Enter');
  };
  const text = (page: Page, selector: string): Promise<string> => page.evaluate(`document.querySelector(${JSON.stringify(selector)})?.textContent ?? ''`) as Promise<string>;

  describe('the bench page', () => {
    let page: Page;
    beforeAll(async () => {
      page = await app.open('bench.html');
      await page.waitForSelector('#adapter');
    });

    it('tells the adapter and what it would run', async () => {
      expect(await text(page, '#adapter')).toMatch(/swiftshader|software|Adapter/i);
      expect(await text(page, '#setup')).toContain('Kernels');
      if (process.platform === 'linux') expect(await text(page, '#setup')).toContain('This adapter is software');
    });

    it('times a kernel on engines whose results agree, and shows it', async () => {
      await page.evaluate(`graftBench.run({ suites: ['kernels'], engines: ${JSON.stringify(ENGINES)}, only: '14 64>64', rounds: 2 })`);
      const { format, sections } = JSON.parse((await page.evaluate('graftBench.json()')) as string) as { format: string; sections: { kernels: { rows: KernelRow[]; facts: Record<string, unknown> } } };
      expect(format).toBe('graft-bench-1');
      const [row, ...others] = sections.kernels.rows;
      expect(others).toEqual([]);
      expect(row.failed).toEqual({});
      for (const engine of ENGINES) {
        expect(row.ms[engine], engine).toHaveLength(2);
        expect(row.deviation[engine], engine).toBeLessThan(1e-4);
      }
      expect(sections.kernels.facts).toMatchObject({ browser: expect.stringMatching(/\d/) as string, adapters: { graft: {} } });
      expect(await text(page, '#results')).toMatch(/GFLOP\/s/);
      expect(await page.evaluate('graftBench.markdown()')).toMatch(/\| GFLOP\/s \| Graft .*\n.*\n\| 14 64>64 k3 s1 \| [\d.]+ GFLOP\/s/);
    });

    it.skipIf(!existsSync('bench/page/node_modules'))('exports what the page of plots draws', async () => {
      const [json, html] = [join(dir, 'browser.json'), join(dir, 'index.html')];
      writeFileSync(json, (await page.evaluate('graftBench.json()')) as string);
      await new Promise<void>((resolve, reject) => { execFile(process.execPath, ['bench/makePage.mjs', json, '--out', html], (error) => (error ? reject(error) : resolve())); });
      expect(readFileSync(html, 'utf8')).toContain('<svg');
      expect(readFileSync(html, 'utf8')).not.toMatch(/NaN|undefined/);
    });

    it('looks at a result of Node, and refuses what is none', async () => {
      const choose = (path: string): Promise<void> => upload(page, '#results input[type=file]', [path]);
      await choose('package.json');
      await until(page, `document.querySelector('.notices')?.textContent?.includes('is no result of this bench')`);
      await choose('docs/bench/lavapipe.json');
      await until(page, `document.querySelector('#results')?.textContent?.includes('lavapipe.json')`);
      for (const title of ['Kernels', 'Networks', 'Head tuning', 'Scaling', 'Start', 'Memory']) expect(await text(page, '#results')).toContain(title);
      expect(await text(page, '#results')).not.toMatch(/NaN|undefined/);
    });

    it('stops when it is asked to', async () => {
      await button(page, 'Run');
      await button(page, 'Stop');
      await until(page, `document.querySelector('#setup [role=progressbar]') === null`);
      await until(page, `document.querySelector('#results [role=status]').textContent.includes('Stopped')`);
    });

    it('gives axe nothing to complain about', async () => {
      expect(await axeComplaints(page)).toEqual([]);
    });
  });

  describe('the validate page', () => {
    let page: Page;
    beforeAll(async () => {
      page = await app.open('validate.html');
      await until(page, 'window.graftValidate !== undefined');
    });
    const verdicts = async (): Promise<Verdict[]> => (JSON.parse((await page.evaluate('graftValidate.json()')) as string) as { verdicts: Verdict[] }).verdicts;
    const ended = (count: number): Promise<unknown> => until(page, `document.querySelectorAll('.validate-line').length === ${count} && document.querySelector('#run [role=progressbar]') === null`);

    it('gives the repository\'s fixtures Node\'s verdicts', async () => {
      const index = (await (await fetch(`${app.origin}/files/fixtures/index.json`)).json()) as string[];
      const names = [...index.filter((name) => NAMES.some((each) => name.startsWith(each))), ...index.filter((name) => /^(ops|optim)\//.test(name)).filter((_, i) => i % 60 === 7)];
      expect(names.length).toBeGreaterThan(6);
      await page.evaluate(`graftValidate.own(${JSON.stringify(names)})`);
      const found = await verdicts();
      const gpu = await openGpu();
      for (const [i, name] of names.entries()) {
        const file = await openFile(join('test/fixtures', name));
        const node = await validateFixture(gpu, openWeights(file), name);
        await file.close();
        const facts = ({ name: n, op, status, checks }: Verdict): unknown => ({ n, op, status, checks: checks.map(({ tensor, pass, bound }) => ({ tensor, pass, bound })) });
        expect(facts(found[i])).toEqual(facts(node));
        expect(found[i].status, name).toBe('pass');
      }
      gpu.destroy();
      expect(await text(page, '.validate-counts')).toContain(`passed${names.length}`);
    });

    it('names the element that a changed file gets wrong, and what is wrong with others', async () => {
      const original = readFileSync('test/fixtures/ops/conv2d_1x1.safetensors');
      const changed = withChangedElement(original, 'output', 5);
      const files = { 'changed.safetensors': changed.bytes, 'cut.safetensors': original.subarray(0, 200), 'foreign.safetensors': Buffer.from('not a fixture at all'), 'right.safetensors': original };
      for (const [name, bytes] of Object.entries(files)) writeFileSync(join(dir, name), bytes);
      await upload(page, '#run input[type=file]', Object.keys(files).map((name) => join(dir, name)));
      await ended(4);
      const byName = Object.fromEntries((await verdicts()).map((verdict) => [verdict.name, verdict]));
      expect(byName['right.safetensors'].status).toBe('pass');
      for (const name of ['cut.safetensors', 'foreign.safetensors']) expect(byName[name]).toMatchObject({ status: 'error', message: expect.stringMatching(/\w+ \w+/) as string });
      expect(byName['changed.safetensors'].status).toBe('fail');
      expect(byName['changed.safetensors'].checks.find(({ pass }) => !pass)).toMatchObject({ tensor: 'output', index: changed.index });
      await page.locator('label ::-p-text(Failed 1)').click();
      await until(page, `document.querySelectorAll('.validate-line').length === 1`);
      expect(await text(page, '.validate-list')).toContain('changed.safetensors');
      expect(await axeComplaints(page)).toEqual([]);
    });

    it('takes a new device where one is lost, stops when it is asked to, and keeps what it has', async () => {
      await page.evaluate('void graftValidate.own()');
      await until(page, `document.querySelector('#run [role=progressbar]') !== null && JSON.parse(graftValidate.json()).verdicts.length > 0`);
      const worker = page.workers().at(-1);
      if (!worker) throw new Error('the run has no worker');
      // In the middle of the next fixture, as a driver's reset would.
      await worker.evaluate(() => {
        const make = GPUDevice.prototype.createCommandEncoder;
        GPUDevice.prototype.createCommandEncoder = function (...given) {
          GPUDevice.prototype.createCommandEncoder = make;
          this.destroy();
          return make.apply(this, given);
        };
      });
      await until(page, `/The GPU was lost at \\S+; a new one was taken/.test(document.querySelector('#verdicts')?.textContent ?? '')`);
      const before = (await verdicts()).length;
      await until(page, `JSON.parse(graftValidate.json()).verdicts.length > ${before} + 2`);
      await button(page, 'Stop');
      await until(page, `document.querySelector('#run [role=progressbar]') === null`);
      const found = await verdicts();
      expect(found.length).toBeGreaterThan(before);
      expect(found.filter(({ status }) => status !== 'pass')).toEqual([]);
      await until(page, `document.querySelector('#run [role=status]').textContent.includes('Stopped after')`);
    });
  });

  it('has nothing to complain about on the console', () => {
    expect(app.complaints).toEqual([]);
  });

  it('says in words that there is no WebGPU', async () => {
    const without = await openApp({ webgpu: false });
    try {
      for (const name of ['bench', 'validate']) {
        const page = await without.open(`${name}.html`);
        await says(page, /no WebGPU|gives no adapter|no adapter/, 'main');
        await until(page, `[...document.querySelectorAll('button.primary')].every(({ disabled }) => disabled)`);
      }
    } finally {
      await without.close();
    }
  });
});

/** As if they had been chosen in the dialog that the button opens. */
async function upload(page: Page, selector: string, paths: readonly string[]): Promise<void> {
  const input = (await page.$(selector)) as ElementHandle<HTMLInputElement> | null;
  if (!input) throw new Error(`${selector} is not there`);
  await input.uploadFile(...paths);
}

/** One element of a tensor of a safetensors file made larger by one. */
function withChangedElement(original: Buffer, tensor: string, element: number): { bytes: Buffer; index: number[] } {
  const bytes = Buffer.from(original);
  const length = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + length).toString('utf8')) as Record<string, { shape: number[]; data_offsets: [number, number] }>;
  const { shape, data_offsets: [begin] } = header[tensor];
  const at = 8 + length + begin + 4 * element;
  bytes.writeFloatLE(bytes.readFloatLE(at) + 1, at);
  const index: number[] = [];
  for (let rest = element, axis = shape.length - 1; axis >= 0; axis--) {
    index.unshift(rest % shape[axis]);
    rest = Math.floor(rest / shape[axis]);
  }
  return { bytes, index };
}
