/** Batches: the right images in the right order, whatever fails, from folders, threads and blobs. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import sharp from 'sharp';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { STANDARD_AUGMENTATION } from '../src/data/augment';
import { fromFiles } from '../src/data/blobDataset';
import { ImageError, createDataset } from '../src/data/dataset';
import { batches } from '../src/data/loader';
import type { Batch } from '../src/data/loader';
import { IMAGENET_PREPROCESSING, preprocess } from '../src/data/preprocess';
import { shuffle } from '../src/random';
import { DataError, UsageError } from '../src/errors';
import { decodeBytes, decodeFile } from '../src/node/decode';
import { imageFolder } from '../src/node/imageFolder';
import { DecodePool } from '../src/node/imagePool';

const preprocessing = { ...IMAGENET_PREPROCESSING, resizeSize: 10, cropSize: 8 };
const values = preprocessing.cropSize ** 2 * 3;

let base = '';
beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), 'graft-loader-'));
  for (const label of ['a', 'b']) {
    mkdirSync(join(base, label));
    for (let i = 0; i < 6; i++) {
      const raw = Buffer.alloc(20 * 16 * 3, 0).map((_, at) => (at * (i + 3) + label.charCodeAt(0) * 40) & 255);
      const image = sharp(raw, { raw: { width: 20, height: 16, channels: 3 } });
      writeFileSync(join(base, label, `${i}.png`), await image.png().toBuffer());
    }
  }
});
afterAll(() => rmSync(base, { recursive: true, force: true }));

async function all(iterator: AsyncIterable<Batch>): Promise<Batch[]> {
  const list: Batch[] = [];
  for await (const batch of iterator) list.push(batch);
  return list;
}

/** A dataset of ten numbers; each "image" is filled with its number, those in `broken` fail. */
function numbers(broken: readonly number[] = [], delay: (index: number) => number = () => 0) {
  const items = Array.from({ length: 10 }, (_, i) => ({ name: `${i}`, label: i % 2, hash: `${i}`.repeat(16) }));
  let active = 0;
  let most = 0;
  let started = 0;
  const dataset = createDataset(['even', 'odd'], items, async (item, { cropSize }) => {
    started++;
    most = Math.max(most, ++active);
    await new Promise((done) => setTimeout(done, delay(Number(item.name))));
    active--;
    if (broken.includes(Number(item.name))) throw new ImageError(item.name, 'it is torn');
    return new Float32Array(cropSize * cropSize * 3).fill(Number(item.name));
  });
  return { dataset, most: () => most, started: () => started };
}

describe('batches', () => {
  it('packs images and classes in the order asked for, however long each takes', async () => {
    const { dataset } = numbers([], (index) => 10 - index);
    const order = shuffle(10, 4);
    const list = await all(batches(dataset, { batchSize: 4, order, preprocessing }));
    expect(list.map(({ size }) => size)).toEqual([4, 4, 2]);
    expect(list.flatMap(({ indices }) => indices)).toEqual([...order]);
    for (const { inputs, targets, indices, size } of list) {
      expect(inputs.length).toBe(size * values);
      expect([...targets]).toEqual(indices.map((index) => index % 2));
      indices.forEach((index, i) => {
        expect(new Set(inputs.subarray(i * values, (i + 1) * values))).toEqual(new Set([index]));
      });
    }
    const dropped = await all(batches(dataset, { batchSize: 4, preprocessing, dropLast: true }));
    expect(dropped.flatMap(({ indices }) => indices)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(await all(batches(dataset, { batchSize: 4, preprocessing, order: [] }))).toEqual([]);
  });

  it('reports and leaves out what fails, also a whole batch', async () => {
    const { dataset } = numbers([1, 4, 5]);
    const skipped: unknown[] = [];
    const list = await all(batches(dataset, { batchSize: 2, preprocessing, onSkip: (image) => skipped.push(image) }));
    expect(list.map(({ indices }) => indices)).toEqual([[0], [2, 3], [6, 7], [8, 9]]);
    expect(skipped).toEqual([1, 4, 5].map((index) => ({ index, path: `${index}`, reason: 'it is torn' })));
  });

  it('reads ahead as far as asked, and stops when the loop is left', async () => {
    const { dataset, most, started } = numbers([9], () => 2);
    for await (const batch of batches(dataset, { batchSize: 2, preprocessing, prefetch: 1 })) {
      expect(batch.indices).toEqual([0, 1]);
      break;
    }
    expect(most()).toBe(4);
    expect(started()).toBe(6);
  });

  it('passes on errors that are not about an image', async () => {
    const dataset = createDataset(['a'], [{ name: 'x', label: 0, hash: '0'.repeat(64) }], async () => {
      throw new TypeError('a bug');
    });
    await expect(all(batches(dataset, { batchSize: 1, preprocessing }))).rejects.toThrow('a bug');
  });

  it('refuses options out of range', async () => {
    const { dataset } = numbers();
    await expect(all(batches(dataset, { batchSize: 0, preprocessing }))).rejects.toThrow(UsageError);
    await expect(all(batches(dataset, { batchSize: 1, preprocessing, prefetch: -1 }))).rejects.toThrow(/prefetch/);
    await expect(all(batches(dataset, { batchSize: 1, preprocessing: { ...preprocessing, std: [] } }))).rejects.toThrow(DataError);
    await expect(all(batches(dataset, { batchSize: 1, preprocessing, augment: { horizontalFlip: -1 } }))).rejects.toThrow(UsageError);
    await expect(all(batches(dataset, { batchSize: 1, preprocessing, order: [10] }))).rejects.toThrow(/index 10 is outside/);
  });
});

describe('batches of an image folder', () => {
  it('holds what decoding and preprocessing each file gives', async () => {
    const data = await imageFolder(base);
    const [batch] = await all(batches(data.train, { batchSize: 100, preprocessing }));
    expect(batch.size).toBe(10);
    for (const [i, index] of batch.indices.entries()) {
      const { path = '' } = data.train.items[index];
      const want = preprocess(await decodeFile(path), preprocessing);
      expect(batch.inputs.slice(i * values, (i + 1) * values)).toEqual(want);
    }
    await data.close();
    await expect(data.train.load(0, preprocessing)).rejects.toThrow(/closed/);
  });

  it('draws random views by seed, epoch and image, not by order, batch or subset', async () => {
    const data = await imageFolder(base);
    const viewOf = async (wanted: number, options: { order?: number[]; batchSize?: number; epoch?: number; seed?: number }) => {
      const { order, batchSize = 3, epoch = 1, seed = 5 } = options;
      const list = await all(batches(data.train, {
        batchSize, epoch, seed, preprocessing, augment: STANDARD_AUGMENTATION, ...(order !== undefined && { order }),
      }));
      const views: Float32Array[] = [];
      for (const { inputs, indices } of list) {
        indices.forEach((index, i) => {
          if (index === wanted) views.push(inputs.slice(i * values, (i + 1) * values));
        });
      }
      return views;
    };
    const [base2] = await viewOf(2, {});
    expect(await viewOf(2, { order: [7, 2, 0], batchSize: 1 })).toEqual([base2]);
    expect(await viewOf(2, { epoch: 2 })).not.toEqual([base2]);
    expect(await viewOf(2, { seed: 6 })).not.toEqual([base2]);
    const [once, again] = await viewOf(2, { order: [2, 2] });
    expect(once).toEqual(base2);
    expect(again).not.toEqual(base2);
    const alone = data.train.subset([2]);
    const draw = { augmentation: STANDARD_AUGMENTATION, seed: 5, epoch: 1, repeat: 0 };
    expect(await alone.load(0, preprocessing, draw)).toEqual(base2);
    await data.close();
  });

  it('skips an image whose damage shows only in decoding, or that went away', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'graft-damaged-'));
    try {
      for (const label of ['a', 'b']) {
        mkdirSync(join(folder, label));
        for (let i = 0; i < 2; i++) {
          const noise = { type: 'gaussian', mean: label === 'a' ? 90 : 160, sigma: 40 } as const;
          const png = await sharp({ create: { width: 30 + i, height: 30, channels: 3, background: 'red', noise } }).png().toBuffer();
          if (label === 'b' && i === 1) png.fill(0x55, 200, 260);
          writeFileSync(join(folder, label, `${i}.png`), png);
        }
      }
      const data = await imageFolder(folder, { validationFraction: 0 });
      expect(data.report.skipped).toEqual([]);
      rmSync(join(folder, 'a/0.png'));
      const skipped: { path: string; reason: string }[] = [];
      const list = await all(batches(data.train, { batchSize: 4, preprocessing, onSkip: (image) => skipped.push(image) }));
      expect(list.map(({ size }) => size)).toEqual([2]);
      expect(skipped).toMatchObject([
        { path: 'a/0.png', reason: 'there is no such file' }, { path: 'b/1.png', reason: expect.stringMatching(/damaged/) },
      ]);
      await data.close();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe('DecodePool in threads', () => {
  // Beside the packages, so that the built worker finds sharp.
  const outDir = resolve('node_modules/.cache/graft-image-worker-test');
  const workerFile = join(outDir, 'imageWorker.js');
  beforeAll(async () => {
    await build({
      configFile: false,
      logLevel: 'error',
      build: {
        target: 'es2022', outDir, emptyOutDir: true, minify: false,
        lib: {
          formats: ['es'],
          entry: { imageWorker: resolve('src/node/imageWorker.ts'), imagePool: resolve('src/node/imagePool.ts') },
        },
        rollupOptions: { external: [/^node:/, 'sharp'] },
      },
    });
    writeFileSync(join(outDir, 'package.json'), '{"type":"module"}');
    writeFileSync(join(outDir, 'dying.js'), "import { parentPort } from 'node:worker_threads'; parentPort.on('message', () => process.exit(3));");
  });
  afterAll(() => rmSync(outDir, { recursive: true, force: true }));

  it('finds the built worker beside itself, and lets the process end', async () => {
    const script = `import { DecodePool } from './imagePool.js';
      const pool = new DecodePool({ workers: 1 });
      const data = await pool.run(JSON.parse(process.argv[2]));
      console.log(pool.threaded, data.length);`;
    writeFileSync(join(outDir, 'script.js'), script);
    const request = { path: join(base, 'a', '0.png'), name: 'x', preprocessing };
    const out = execFileSync(process.execPath, [join(outDir, 'script.js'), JSON.stringify(request)], { encoding: 'utf8', timeout: 30_000 });
    expect(out.trim()).toBe(`true ${values}`);
  });

  it('gives the same numbers as in process, in answer to each request', async () => {
    const pool = new DecodePool({ workers: 2, workerFile });
    const here = new DecodePool({ workers: 0 });
    expect([pool.threaded, here.threaded]).toEqual([true, false]);
    const requests = [0, 1, 2, 3, 4, 5].map((i) => ({
      path: join(base, 'a', `${i}.png`), name: `${i}`, preprocessing,
      augment: { augmentation: STANDARD_AUGMENTATION, seed: 1, epoch: 0, image: [i] },
    }));
    const [there, inProcess] = await Promise.all([pool, here].map((each) => Promise.all(requests.map((one) => each.run(one)))));
    expect(there).toEqual(inProcess);
    const error = await pool.run({ ...requests[0], path: join(base, 'gone.png'), name: 'gone.png' }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ImageError);
    expect(error).toMatchObject({ image: 'gone.png', reason: 'there is no such file' });
    await expect(pool.run(requests[1])).resolves.toEqual(inProcess[1]);
    await pool.close();
    await expect(pool.run(requests[1])).rejects.toThrow(/closed/);
  });

  it('loses only the image a dying thread was at, and rejects what waits when closed', async () => {
    const pool = new DecodePool({ workers: 1, workerFile: join(outDir, 'dying.js') });
    const request = { path: join(base, 'a', '0.png'), name: 'x', preprocessing };
    await expect(pool.run(request)).rejects.toThrow(/decoding thread ended: exit code 3/);
    await expect(pool.run(request)).rejects.toThrow(/decoding thread ended/);
    const waiting = [pool.run(request), pool.run(request)];
    const outcome = Promise.allSettled(waiting);
    await pool.close();
    expect((await outcome).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  });
});

describe('fromFiles', () => {
  const decode = async (blob: Blob, name: string) => decodeBytes(new Uint8Array(await blob.arrayBuffer()), name);
  const png = async (level: number): Promise<Blob> => {
    const raw = Buffer.alloc(5 * 5 * 3, level);
    return new Blob([new Uint8Array(await sharp(raw, { raw: { width: 5, height: 5, channels: 3 } }).png().toBuffer())], { type: 'image/png' });
  };

  it('makes the same datasets of a page\'s files', async () => {
    const files = [];
    for (let i = 0; i < 10; i++) files.push({ label: i < 5 ? 'dark' : 'light', blob: await png(i * 25), name: `${i}.png` });
    files.push({ label: 'dark', blob: await png(25), name: 'copy.png' }, { label: 'light', blob: new Blob([]), name: 'empty.png' });
    const data = await fromFiles(files, { decode });
    expect(data.classes).toEqual(['dark', 'light']);
    expect([data.train.items.length, data.validation.items.length]).toEqual([8, 2]);
    expect(data.report).toMatchObject({
      found: 12, duplicates: [{ path: 'copy.png', of: '1.png' }], skipped: [{ path: 'empty.png', reason: expect.stringMatching(/empty/) }],
    });
    const list = await all(batches(data.train, { batchSize: 8, preprocessing }));
    expect(list[0].size).toBe(8);
    const { name } = data.train.items[list[0].indices[0]];
    const level = Number(name[0]) * 25;
    expect(list[0].inputs[0]).toBeCloseTo((level / 255 - 0.485) / 0.229, 5);
  });

  it('refuses what cannot be trained on, and survives what cannot be decoded', async () => {
    await expect(fromFiles([])).rejects.toThrow(/images: holds no images/);
    await expect(fromFiles([{ label: 'a', blob: await png(1), name: 'x' }])).rejects.toThrow(/only one label/);
    const text = new Blob(['not an image']);
    const data = await fromFiles([
      { label: 'a', blob: text, name: 'text.png' }, { label: 'a', blob: await png(1), name: 'x' }, { label: 'b', blob: await png(2), name: 'y' },
    ], { decode, validationFraction: 0 });
    const skipped: unknown[] = [];
    const list = await all(batches(data.train, { batchSize: 3, preprocessing, onSkip: (image) => skipped.push(image) }));
    expect([list[0].size, skipped.length]).toEqual([2, 1]);
  });
});
