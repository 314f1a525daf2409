/** Decoding by a real browser gives the pixels that Node and Pillow give, and the same datasets and batches. */
import type { Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import json from './fixtures/preprocess.json';
import { browserPath, openBlankPage } from './support/browserPage';

/** Largest difference from Pillow that the browser's own way explains; 0 for the rest. */
const ALLOWED: Readonly<Record<string, number>> = {
  '565.bmp': 1, // widened from 5 bits by shifts rather than by division
  'alpha.png': 8, 'grey alpha.png': 8, // a canvas multiplies colours by alpha
  'palette with transparency.png': 255, // and forgets those under alpha 0
  'rgb.jpg': 4, 'grey.jpg': 4, 'cmyk.jpg': 4,
};

describe.skipIf(browserPath === null)('in a browser', () => {
  let page: Page;
  let close: (() => Promise<void>) | undefined;

  beforeAll(async () => {
    ({ page, close } = await openBlankPage());
  });
  afterAll(() => close?.());

  /** Runs a function body in the page; `decodeBlob`, `fromFiles`, `batches` and `preprocessing` are at hand. */
  async function inPage(body: string, input: unknown = null): Promise<unknown> {
    return page.evaluate(`(async (input) => {
      const { decodeBlob } = await import('/src/data/decodeBrowser.ts');
      const { fromFiles } = await import('/src/data/blobDataset.ts');
      const { batches } = await import('/src/data/loader.ts');
      const { IMAGENET_PREPROCESSING: preprocessing } = await import('/src/data/preprocess.ts');
      ${body}
    })(${JSON.stringify(input)})`);
  }

  for (const { name, width, height, file, rgb } of json.decode.filter((one) => !one.name.endsWith('.tif'))) {
    it(`decodes ${name}`, async () => {
      const [w, h, worst] = await inPage(`
        const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
        const out = await decodeBlob(new Blob([bytes(input.file)]));
        const want = bytes(input.rgb);
        if (out.data.length !== want.length) throw new Error('length');
        return [out.width, out.height, want.reduce((most, v, i) => Math.max(most, Math.abs(v - out.data[i])), 0)];
      `, { file, rgb }) as number[];
      expect([w, h]).toEqual([width, height]);
      expect(worst).toBeLessThanOrEqual(ALLOWED[name] ?? 0);
    });
  }

  it('reads images larger than the canvas it reads them by', async () => {
    const [width, height, above, below] = await inPage(`
      const canvas = new OffscreenCanvas(3000, 3001);
      const context = canvas.getContext('2d');
      context.fillStyle = 'rgb(9, 8, 7)';
      context.fillRect(0, 2990, 3000, 11);
      const { width, height, data } = await decodeBlob(await canvas.convertToBlob());
      const at = (y) => [...data.slice(y * width * 3, y * width * 3 + 3)];
      return [width, height, at(2989), at(2990)];
    `) as unknown[];
    expect([width, height, above, below]).toEqual([3000, 3001, [0, 0, 0], [9, 8, 7]]);
    const wide = await inPage(`
      const canvas = new OffscreenCanvas(20000, 2);
      canvas.getContext('2d').fillRect(0, 0, 20000, 2);
      return (await decodeBlob(await canvas.convertToBlob())).width;
    `);
    expect(wide).toBe(20000);
  });

  it('says what is wrong with a file that is no image', async () => {
    const reasons = await inPage(`
      const reason = (blob) => decodeBlob(blob, 'x.png').then(() => 'none', (error) => error.message);
      return [await reason(new Blob([])), await reason(new Blob(['text'], { type: 'image/png' }))];
    `);
    expect(reasons).toEqual([
      "image 'x.png': the file is empty (0 bytes)",
      "image 'x.png': the browser cannot decode it (image/png, 4 bytes)",
    ]);
  });

  it('makes batches of files', async () => {
    const out = await inPage(`
      const files = [];
      for (let i = 0; i < 6; i++) {
        const canvas = new OffscreenCanvas(30, 20);
        const context = canvas.getContext('2d');
        context.fillStyle = \`rgb(\${i * 30}, 0, 0)\`;
        context.fillRect(0, 0, 30, 20);
        files.push({ label: i < 3 ? 'dark' : 'light', name: String(i), blob: await canvas.convertToBlob() });
      }
      const { classes, train, validation } = await fromFiles(files);
      const list = [];
      for await (const batch of batches(train, { batchSize: 8, preprocessing })) {
        const names = batch.indices.map((index) => Number(train.items[index].name));
        list.push([batch.size, [...batch.targets], names, names.map((_, i) => batch.inputs[i * 224 * 224 * 3])]);
      }
      return [classes, validation.items.length, list];
    `) as [string[], number, [number, number[], number[], number[]][]];
    const [classes, held, [[size, targets, names, reds]]] = out;
    expect([classes, held, size, targets]).toEqual([['dark', 'light'], 2, 4, [0, 0, 1, 1]]);
    names.forEach((name, i) => expect(reds[i]).toBeCloseTo((name * 30 / 255 - 0.485) / 0.229, 5));
  });
});
