/** Decoding in Node: equal to Pillow's RGB, upright, and a plain reason for everything that is no good. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import type { Sharp } from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ImageError } from '../src/data/dataset';
import { IMAGENET_PREPROCESSING, preprocess } from '../src/data/preprocess';
import { DataError } from '../src/errors';
import { decodeAndPreprocess, decodeBytes, decodeFile } from '../src/node/decode';
import { thumbnail } from '../src/node/thumbnail';
import json from './fixtures/preprocess.json';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'graft-decode-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function put(name: string, bytes: Uint8Array | string): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

/** A photo-like image: noise compresses badly, so cutting the file cuts pixels. */
function photo(width = 200, height = 150): Sharp {
  const data = Buffer.alloc(width * height * 3, 0);
  for (let i = 0; i < data.length; i++) data[i] = (Math.imul(i, 2654435761) >>> 24) & 0xf0;
  return sharp(data, { raw: { width, height, channels: 3 } });
}

/** Red left half, blue right half. */
function halves(width: number, height: number): Sharp {
  const data = Buffer.alloc(width * height * 3, 0);
  for (let i = 0; i < width * height; i++) data[i * 3 + (i % width < width / 2 ? 0 : 2)] = 255;
  return sharp(data, { raw: { width, height, channels: 3 } });
}

async function reasonOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(() => undefined, (thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ImageError);
  expect(error).toBeInstanceOf(DataError);
  if (!(error instanceof ImageError)) return '';
  expect(error.message).not.toContain('\n');
  expect(error.message).toContain(error.reason);
  return error.reason;
}

describe('decoding equals Pillow', () => {
  for (const { name, width, height, tolerance, file, rgb } of json.decode) {
    it(name, async () => {
      const out = await decodeBytes(Buffer.from(file, 'base64'), name);
      expect([out.width, out.height]).toEqual([width, height]);
      const want = Buffer.from(rgb, 'base64');
      expect(out.data.length).toBe(want.length);
      const worst = want.reduce((most, value, i) => Math.max(most, Math.abs(value - out.data[i])), 0);
      expect(worst).toBeLessThanOrEqual(tolerance);
    });
  }
});

describe('decoding of unusual images', () => {
  it('applies EXIF rotation', async () => {
    const turned = await halves(40, 20).withMetadata({ orientation: 6 }).jpeg({ quality: 100 }).toBuffer();
    const { width, height, data } = await decodeBytes(turned, 'turned.jpg');
    expect([width, height]).toEqual([20, 40]);
    // Turned a quarter clockwise: what was left is now at the top.
    const top = (2 * width + 10) * 3;
    const bottom = (37 * width + 10) * 3;
    expect(data[top]).toBeGreaterThan(200);
    expect(data[top + 2]).toBeLessThan(60);
    expect(data[bottom]).toBeLessThan(60);
    expect(data[bottom + 2]).toBeGreaterThan(200);
  });

  it('takes the first frame of animations', async () => {
    const frame = (background: string): Promise<Buffer> =>
      sharp({ create: { width: 8, height: 8, channels: 3, background } }).png().toBuffer();
    const frames = [await frame('#f00'), await frame('#0f0')];
    for (const format of ['gif', 'webp'] as const) {
      const joined = sharp(frames, { join: { animated: true } });
      const animated = await (format === 'gif' ? joined.gif() : joined.webp({ lossless: true })).toBuffer();
      expect((await sharp(animated).metadata()).pages).toBe(2);
      const out = await decodeBytes(animated, `animated.${format}`);
      expect([out.width, out.height]).toEqual([8, 8]);
      expect([...out.data.slice(0, 3)]).toEqual([255, 0, 0]);
    }
  });

  it('reads 16-bit grey, and grey with alpha, as RGB', async () => {
    const grey = await sharp({ create: { width: 3, height: 2, channels: 3, background: { r: 90, g: 90, b: 90 } } })
      .toColourspace('grey16').png().toBuffer();
    const out = await decodeBytes(grey, 'grey16.png');
    expect([...out.data]).toEqual(new Array(18).fill(90));
  });

  it('drops alpha rather than compositing', async () => {
    const clear = await sharp(Buffer.from([200, 100, 50, 0]), { raw: { width: 1, height: 1, channels: 4 } }).png().toBuffer();
    expect([...(await decodeBytes(clear, 'clear.png')).data]).toEqual([200, 100, 50]);
  });

  it('ignores colour profiles, as Pillow does', async () => {
    const plain = await halves(8, 8).png().toBuffer();
    const tagged = await sharp(plain).withIccProfile('p3', { attach: true }).png().toBuffer();
    const raw = await sharp(tagged, { ignoreIcc: true }).raw().toBuffer();
    expect(Buffer.from((await decodeBytes(tagged, 'p3.png')).data)).toEqual(raw);
  });

  it('reads AVIF and TIFF', async () => {
    for (const format of ['avif', 'tiff'] as const) {
      const out = await decodeBytes(await halves(32, 16)[format]({ quality: 90 }).toBuffer(), format);
      expect([out.width, out.height]).toEqual([32, 16]);
      expect(out.data[0]).toBeGreaterThan(230);
    }
  });

  it('reads 1 x 1 pixels, up to the network input', async () => {
    const path = put('dot.png', await sharp(Buffer.from([10, 20, 30]), { raw: { width: 1, height: 1, channels: 3 } }).png().toBuffer());
    const input = await decodeAndPreprocess({ path, name: 'dot.png', preprocessing: IMAGENET_PREPROCESSING });
    expect(input).toEqual(preprocess({ width: 1, height: 1, data: Uint8Array.of(10, 20, 30) }, IMAGENET_PREPROCESSING));
    expect(input[0]).toBeCloseTo((10 / 255 - 0.485) / 0.229, 5);
  });

  it('reads 20,000 pixels a row', async () => {
    const wide = await sharp({ create: { width: 20000, height: 7, channels: 3, background: 'red' } }).png().toBuffer();
    const path = put('wide.png', wide);
    const input = await decodeAndPreprocess({ path, name: 'wide.png', preprocessing: IMAGENET_PREPROCESSING });
    expect(input.length).toBe(224 * 224 * 3);
    expect(input[0]).toBeCloseTo((1 - 0.485) / 0.229, 5);
  });
});

describe('a bad image has a reason', () => {
  it('0 bytes', async () => {
    expect(await reasonOf(decodeFile(put('empty.jpg', '')))).toMatch(/empty \(0 bytes\)/);
  });

  it('not there, a folder, a pipe', async () => {
    expect(await reasonOf(decodeFile(join(folder, 'absent.jpg')))).toMatch(/no such file/);
    expect(await reasonOf(decodeFile(folder))).toMatch(/not a regular file/);
    if (process.platform !== 'win32') {
      const pipe = join(folder, 'pipe.jpg');
      execFileSync('mkfifo', [pipe]);
      expect(await reasonOf(decodeFile(pipe))).toMatch(/not a regular file/);
    }
  });

  it('text or random bytes under an image name', async () => {
    expect(await reasonOf(decodeFile(put('text.jpg', 'hello, I am no image at all')))).toMatch(/not JPEG, PNG/);
    expect(await reasonOf(decodeFile(put('noise.png', new Uint8Array(5000).fill(7))))).toMatch(/not JPEG, PNG/);
  });

  it('SVG under another name', async () => {
    const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>';
    expect(await reasonOf(decodeFile(put('drawing.png', svg)))).toMatch(/SVG/);
  });

  for (const format of ['jpeg', 'png', 'webp', 'gif', 'avif', 'tiff'] as const) {
    it(`truncated ${format}`, async () => {
      const whole = await photo().toFormat(format).toBuffer();
      await expect(decodeBytes(whole, 'whole')).resolves.toMatchObject({ width: 200, height: 150 });
      for (const share of [0.02, 0.3, 0.7, 0.98]) {
        const reason = await reasonOf(decodeBytes(whole.subarray(0, Math.floor(whole.length * share)), 'cut'));
        expect(reason).toMatch(/truncated|damaged|not JPEG/);
      }
    });
  }

  it('truncated JPEG whose thumbnail still holds an end mark', async () => {
    const whole = await photo().jpeg().toBuffer();
    const cut = Buffer.concat([whole.subarray(0, 2), Buffer.from([0xff, 0xfe, 0, 4, 0xff, 0xd9]), whole.subarray(2, whole.length / 2)]);
    expect(await reasonOf(decodeBytes(cut, 'cut.jpg'))).toMatch(/truncated or damaged/);
  });

  it('damaged inside', async () => {
    const png = await photo().png().toBuffer();
    const middle = Math.floor(png.length / 2);
    png.fill(0xaa, middle, middle + 200);
    expect(await reasonOf(decodeBytes(png, 'damaged.png'))).toMatch(/damaged/);
  });

  it('truncated, compressed or senseless BMP', async () => {
    const bmp = Buffer.from(json.decode.find(({ name }) => name === 'rgb.bmp')?.file ?? '', 'base64');
    for (const length of [26, 40, 54, bmp.length - 1]) {
      expect(await reasonOf(decodeBytes(bmp.subarray(0, length), 'cut.bmp'))).toMatch(/truncated BMP/);
    }
    const changed = (at: number, value: number): Buffer => {
      const copy = Buffer.from(bmp);
      copy.writeInt32LE(value, at);
      return copy;
    };
    expect(await reasonOf(decodeBytes(changed(30, 1), 'rle.bmp'))).toMatch(/compression 1 is not read/);
    expect(await reasonOf(decodeBytes(changed(18, -3), 'wide.bmp'))).toMatch(/-3 x 11/);
    expect(await reasonOf(decodeBytes(changed(18, 0x7fffffff), 'wide.bmp'))).toMatch(/truncated/);
    expect(await reasonOf(decodeBytes(changed(14, 0x7fffffff), 'head.bmp'))).toMatch(/truncated/);
  });

  it('too many pixels, refused before any is decoded', async () => {
    // A PNG header that claims 60,000 x 60,000 pixels.
    const png = await sharp({ create: { width: 1, height: 1, channels: 3, background: 'red' } }).png().toBuffer();
    png.writeUInt32BE(60000, 16);
    png.writeUInt32BE(60000, 20);
    png.writeUInt32BE(crcOf(png.subarray(12, 29)), 29);
    expect(await reasonOf(decodeBytes(png, 'bomb.png'))).toMatch(/60000 x 60000 pixels \(3600 megapixels\)/);
  });
});

/** The CRC-32 of a PNG chunk. */
function crcOf(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

describe('thumbnail', () => {
  const size = async (uri: string): Promise<[number, number]> => {
    expect(uri).toMatch(/^data:image\/webp;base64,[A-Za-z0-9+/=]+$/);
    const { width, height } = await sharp(Buffer.from(uri.split(',')[1], 'base64')).metadata();
    return [width, height];
  };

  it('fits the square, upright, without enlarging', async () => {
    const photoPath = put('photo.jpg', await photo(200, 100).withMetadata({ orientation: 8 }).jpeg().toBuffer());
    expect(await size(await thumbnail(photoPath, 64))).toEqual([32, 64]);
    const bmp = json.decode.find(({ name }) => name === 'rgb.bmp')?.file ?? '';
    expect(await size(await thumbnail(put('small.bmp', Buffer.from(bmp, 'base64'))))).toEqual([13, 11]);
  });

  it('says why it cannot', async () => {
    expect(await reasonOf(thumbnail(put('broken.jpg', 'no image')))).toMatch(/not JPEG/);
    expect(await reasonOf(thumbnail(join(folder, 'nowhere.jpg')))).toMatch(/no such file/);
  });
});
