/** Firefox, whose WebGPU is another implementation (wgpu, naga): Node's verdicts there, and the studio from pictures to a reload. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unzipSync, zipSync } from 'fflate';
import { launch, type Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openGpu } from '../src/gpu/device';
import { openFile } from '../src/node/fileSource';
import { findFirefox, firefoxPreferences } from '../src/node/system.mjs';
import { validateFixture } from '../src/validate/validate';
import type { Verdict } from '../src/validate/verdict';
import { openWeights } from '../src/weights/open';
import { openApp, type OpenedApp } from './support/appPage';
import { serveRepository } from './support/server';
import { choose, press, ready, sample, says, until } from './support/visitor';

const firefox = findFirefox();
if (firefox === null) console.warn('firefox.test.ts is skipped: no Firefox was found; set FIREFOX_PATH to one');

/** One of each kind of kernel: a driver that has them in no cache compiles for seconds. */
const KINDS = [
  'ops/conv2d_3x3_odd', 'ops/conv2d_groups3_stride2', 'ops/conv2d_1x1_nan_infinity', 'ops/matmul_batch2x3', 'ops/linear_bias', 'ops/relu_edges', 'ops/tanh_4d_odd',
  'ops/batch_norm_training_residual_relu', 'ops/batch_norm_eval_relu', 'ops/layer_norm', 'ops/max_pool2d', 'ops/adaptive_avg_pool2d', 'ops/softmax', 'ops/cross_entropy', 'ops/mean', 'optim/adamw',
];
const files = ['ops', 'optim'].flatMap((folder) => readdirSync(join('test/fixtures', folder)).filter((name) => name.endsWith('.safetensors')).sort().map((name) => `${folder}/${name}`));
const fixtures = KINDS.map((kind) => files.find((name) => name.startsWith(kind)) ?? kind);

const summary = ({ name, op, status, loosened, checks }: Verdict): unknown => ({ name, op, status, loosened, checks: checks.map(({ tensor, pass, bound }) => ({ tensor, pass, bound })) });

describe.skipIf(firefox === null)('in Firefox', () => {
  it('operations and an optimiser pass their fixtures, with Node\'s verdicts', async () => {
    const { server, origin } = await serveRepository();
    const browser = await launch({ browser: 'firefox', executablePath: firefox ?? '', headless: true, protocolTimeout: 300_000, extraPrefsFirefox: firefoxPreferences() });
    try {
      const page = await browser.newPage();
      await page.goto(`${origin}/test/browser/index.html`);
      await page.waitForFunction('window.graftTest !== undefined');
      const verdicts = (await page.evaluate(`window.graftTest.validate(${JSON.stringify(fixtures)})`)) as Verdict[];
      const gpu = await openGpu();
      for (const [i, name] of fixtures.entries()) {
        const file = await openWeights(await openFile(join('test/fixtures', name)));
        expect(summary(verdicts[i])).toEqual(summary(await validateFixture(gpu, file, name)));
        await file.close();
        expect(verdicts[i].status, name).toBe('pass');
      }
      gpu.destroy();
    } finally {
      await browser.close();
      await server.close();
    }
  }, 300_000);

  describe('the studio', () => {
    const folder = mkdtempSync(join(tmpdir(), 'graft-firefox-'));
    let app: OpenedApp;
    let page: Page;
    beforeAll(async () => {
      app = await openApp({ firefox: firefox ?? '' });
      page = await ready(await app.open());
    }, 120_000);
    afterAll(async () => {
      await app?.close();
      rmSync(folder, { recursive: true, force: true });
    });

    it('goes from pictures to a head that is accurate, and names a new picture', async () => {
      const archive = zipSync(Object.fromEntries(['lambda', 'psi', 'yu'].flatMap((label) => Array.from({ length: 6 }, (_, i) => [`photos/${label}/${i + 1}.png`, sample(label, i + 1)] as const))), { level: 0 });
      writeFileSync(join(folder, 'photos.zip'), archive);
      await choose(page, 'Choose pictures or a zip', [join(folder, 'photos.zip')]);
      await says(page, /18 pictures in 3 classes/, '#images');
      await page.locator('#base ::-p-text(Glyphs)').click();
      await press(page, 'Use the glyph base', '#base');
      await says(page, /Architecture/, '#base');
      await press(page, 'Train', '#train');
      await until(page, '["ended", "failed"].includes(graft.state.run.value.kind)');
      expect(await page.evaluate('graft.state.run.value.validation?.accuracy')).toBeGreaterThan(0.6);
      writeFileSync(join(folder, 'new.png'), readFileSync('sample/test/psi/03.png'));
      await choose(page, 'Choose a picture', [join(folder, 'new.png')], '#try');
      await says(page, /psi/, '#try .try-bars li:first-child');
    }, 200_000);

    it('saves a model, and has it all again after a reload', async () => {
      await press(page, 'Save model', '#save');
      const names = Object.keys(unzipSync(readFileSync(await app.downloaded('Untitled model.zip'))));
      expect(names.filter((name) => /model\.(safetensors|json)$/.test(name))).toHaveLength(2);
      await page.reload();
      await says(page, /18 pictures in 3 classes/, '#images');
      await says(page, /held-out/, '#train');
      expect(app.complaints).toEqual([]);
    }, 100_000);
  });
});
