/** Resizing, preprocessing, colour and random views, against values from Pillow and torchvision. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  STANDARD_AUGMENTATION, adjustBrightness, adjustContrast, adjustSaturation, checkAugmentation, drawCrop,
} from '../src/data/augment';
import type { AugmentDraw } from '../src/data/augment';
import { IMAGENET_PREPROCESSING, checkPreprocessing, preprocess, view } from '../src/data/preprocess';
import { blank, flipHorizontal } from '../src/data/pixels';
import type { Pixels } from '../src/data/pixels';
import { Random, shuffle } from '../src/random';
import { resize } from '../src/data/resize';
import type { Interpolation } from '../src/data/resize';
import { DataError, ShapeError, UsageError } from '../src/errors';
import json from './fixtures/preprocess.json';

type Pair = [number, number];

/** The reference script's images. */
function pattern([width, height]: number[]): Pixels {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < 3; c++) {
        const seed = Math.imul(x, 73856093) ^ Math.imul(y, 19349663) ^ Math.imul(c, 83492791);
        const noise = Math.imul(seed, 2654435761) >>> 24;
        const smooth = (x * (c + 1) + y * 2) & 255;
        data[(y * width + x) * 3 + c] = ((x >> 4) + (y >> 4)) % 2 === 0 ? noise : smooth;
      }
    }
  }
  return { width, height, data };
}

function sha(data: Uint8Array | Float32Array): string {
  return createHash('sha256').update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)).digest('hex');
}

describe('resize equals Pillow bit for bit', () => {
  for (const { from, to, interpolation, sha256 } of json.resize) {
    it(`${from.join('x')} to ${to.join('x')} ${interpolation}`, () => {
      const out = resize(pattern(from), to[0], to[1], interpolation as Interpolation);
      expect([out.width, out.height]).toEqual(to);
      expect(sha(out.data)).toBe(sha256);
    });
  }

  for (const { from, box, to, sha256 } of json.crop) {
    it(`box ${box.join(',')} of ${from.join('x')} as if cropped first`, () => {
      const [x, y, width, height] = box;
      expect(sha(resize(pattern(from), to, to, 'bilinear', { box: { x, y, width, height } }).data)).toBe(sha256);
    });
  }

  it('computes a window of the result alone', () => {
    const image = pattern([83, 61]);
    const whole = resize(image, 40, 90, 'bicubic');
    const window = { x: 7, y: 31, width: 20, height: 11 };
    const part = resize(image, 40, 90, 'bicubic', { window });
    for (let y = 0; y < window.height; y++) {
      const start = ((y + window.y) * 40 + window.x) * 3;
      expect(part.data.slice(y * 60, y * 60 + 60)).toEqual(whole.data.slice(start, start + 60));
    }
  });

  it('refuses sizes and rectangles that make no sense', () => {
    const image = blank(4, 4);
    expect(() => resize(image, 0, 4, 'bilinear')).toThrow(ShapeError);
    expect(() => resize(image, 2.5, 4, 'bilinear')).toThrow(/whole numbers/);
    expect(() => resize(image, 2, 2, 'bilinear', { box: { x: 3, y: 0, width: 2, height: 4 } })).toThrow(/inside 4 x 4/);
    expect(() => resize(image, 2, 2, 'bilinear', { window: { x: 0, y: -1, width: 2, height: 2 } })).toThrow(ShapeError);
  });
});

describe('preprocess equals torchvision', () => {
  for (const wanted of json.preprocess) {
    const { from, resizeSize, cropSize } = wanted;
    const interpolation = wanted.interpolation as Interpolation;
    it(`${from.join('x')} resize ${resizeSize} crop ${cropSize} ${interpolation}`, () => {
      const preprocessing = { resizeSize, cropSize, interpolation, mean: json.mean, std: json.std };
      expect(sha(view(pattern(from), preprocessing).data)).toBe(wanted.pixels);
      const tensor = preprocess(pattern(from), preprocessing);
      expect(tensor.length).toBe(cropSize * cropSize * 3);
      wanted.at.forEach((at, i) => expect(Math.abs(tensor[at] - wanted.values[i])).toBeLessThanOrEqual(1e-6));
      expect(sha(tensor)).toBe(wanted.tensor);
    });
  }

  it('takes an elongated image without the memory of its whole resized form', () => {
    // 20,000 x 4 resized whole would be 1,280,000 x 256 pixels, a gigabyte.
    const tensor = preprocess(pattern([20000, 4]), IMAGENET_PREPROCESSING);
    expect(tensor.length).toBe(224 * 224 * 3);
    expect(tensor.every(Number.isFinite)).toBe(true);
  });

  it('checks preprocessing that was read from a file', () => {
    expect(checkPreprocessing(JSON.parse(JSON.stringify(IMAGENET_PREPROCESSING)))).toEqual(IMAGENET_PREPROCESSING);
    const broken: unknown[] = [
      null, {}, { ...IMAGENET_PREPROCESSING, cropSize: 0 }, { ...IMAGENET_PREPROCESSING, resizeSize: 1e9 },
      { ...IMAGENET_PREPROCESSING, interpolation: 'lanczos' }, { ...IMAGENET_PREPROCESSING, mean: [0, 0] },
      { ...IMAGENET_PREPROCESSING, std: [1, 0, 1] },
    ];
    for (const value of broken) expect(() => checkPreprocessing(value)).toThrow(DataError);
  });
});

describe('colour adjustments equal Pillow bit for bit', () => {
  const adjust = { brightness: adjustBrightness, contrast: adjustContrast, saturation: adjustSaturation };
  for (const { adjust: name, from, factor, sha256 } of json.color) {
    it(`${name} ${factor}`, () => {
      expect(sha(adjust[name as keyof typeof adjust](pattern(from), factor).data)).toBe(sha256);
    });
  }
});

describe('random views', () => {
  const draw = (over: Partial<AugmentDraw> = {}): AugmentDraw => ({
    augmentation: { ...STANDARD_AUGMENTATION, colorJitter: { brightness: 0.4, contrast: 0.4, saturation: 0.4 } },
    seed: 1, epoch: 2, image: [3, 4], ...over,
  });
  const small = { ...IMAGENET_PREPROCESSING, resizeSize: 40, cropSize: 32 };
  const image = pattern([90, 70]);

  it('depend on seed, epoch, image and repeat, and on nothing else', () => {
    const base = sha(view(image, small, draw()).data);
    expect(sha(view(image, small, draw()).data)).toBe(base);
    const others: Partial<AugmentDraw>[] = [{ seed: 2 }, { epoch: 3 }, { image: [4, 3] }, { repeat: 1 }];
    for (const other of others) expect(sha(view(image, small, draw(other)).data)).not.toBe(base);
  });

  it('mirror with the probability asked for', () => {
    const flipped = (horizontalFlip: number): number => {
      let count = 0;
      const upright = sha(view(image, small).data);
      for (let epoch = 0; epoch < 200; epoch++) {
        if (sha(view(image, small, draw({ augmentation: { horizontalFlip }, epoch })).data) !== upright) count++;
      }
      return count;
    };
    expect(flipped(0)).toBe(0);
    expect(flipped(1)).toBe(200);
    expect(Math.abs(flipped(0.5) - 100)).toBeLessThan(30);
    expect(flipHorizontal(flipHorizontal(image)).data).toEqual(image.data);
  });

  it('crop within the image, with the areas and ratios asked for', () => {
    const random = new Random(7);
    const crop = { scale: [0.2, 0.5], ratio: [0.75, 4 / 3] } as const;
    for (let i = 0; i < 300; i++) {
      const { x, y, width, height } = drawCrop(200, 150, crop, random);
      expect(x >= 0 && y >= 0 && x + width <= 200 && y + height <= 150).toBe(true);
      const area = (width * height) / (200 * 150);
      expect(area).toBeGreaterThan(0.19);
      expect(area).toBeLessThan(0.51);
      expect(width / height).toBeGreaterThan(0.73);
      expect(width / height).toBeLessThan(1.37);
    }
  });

  it('fall back to the largest centred crop where nothing fits', () => {
    const crop = { scale: [1, 1], ratio: [0.75, 4 / 3] } as const;
    expect(drawCrop(1000, 6, crop, new Random(1))).toEqual({ x: 496, y: 0, width: 8, height: 6 });
    expect(drawCrop(6, 1000, crop, new Random(1))).toEqual({ x: 0, y: 496, width: 6, height: 8 });
    for (const size of [[1, 1], [1, 500], [500, 1]] as Pair[]) {
      const box = drawCrop(size[0], size[1], { scale: [0.08, 1], ratio: [0.75, 4 / 3] }, new Random(5));
      expect(Math.min(box.width, box.height)).toBe(1);
      expect(box.x + box.width <= size[0] && box.y + box.height <= size[1]).toBe(true);
    }
  });

  it('refuse settings out of range', () => {
    expect(() => checkAugmentation({ horizontalFlip: 2 })).toThrow(UsageError);
    expect(() => checkAugmentation({ randomResizedCrop: { scale: [0, 1], ratio: [1, 1] } })).toThrow(/scale/);
    expect(() => checkAugmentation({ randomResizedCrop: { scale: [0.1, 1], ratio: [2, 1] } })).toThrow(/ratio/);
    expect(() => checkAugmentation({ colorJitter: { contrast: NaN } })).toThrow(/contrast/);
    expect(() => checkAugmentation(STANDARD_AUGMENTATION)).not.toThrow();
  });
});

describe('Random', () => {
  it('repeats for the same seeds and differs for any other', () => {
    const first = (...seeds: number[]): string => {
      const random = new Random(...seeds);
      return [random.next(), random.next(), random.next()].join();
    };
    expect(first(1, 2)).toBe(first(1, 2));
    const all = [first(), first(0), first(0, 0), first(1), first(1, 2), first(2, 1), first(-1), first(2 ** 40), first(0.5)];
    expect(new Set(all).size).toBe(all.length);
    expect(() => new Random(NaN)).toThrow(UsageError);
  });

  it('is uniform, also between streams of neighbouring seeds', () => {
    const buckets = new Array<number>(16).fill(0);
    for (let seed = 0; seed < 4000; seed++) buckets[Math.floor(new Random(seed).next() * 16)]++;
    const random = new Random(3);
    for (let i = 0; i < 12000; i++) buckets[random.int(16)]++;
    const chiSquare = buckets.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
    expect(chiSquare).toBeLessThan(40); // 15 degrees of freedom: 40 has a chance of 0.0005, and the seeds are fixed
  });

  it('draws normals of mean 0 and variance 1', () => {
    const random = new Random(11);
    let sum = 0;
    let squares = 0;
    for (let i = 0; i < 20000; i++) {
      const value = random.normal();
      sum += value;
      squares += value * value;
    }
    expect(Math.abs(sum / 20000)).toBeLessThan(0.03);
    expect(Math.abs(squares / 20000 - 1)).toBeLessThan(0.04);
  });

  it('draws whole numbers in range and refuses others', () => {
    const random = new Random(5);
    for (const n of [1, 2, 7, 0x100000000]) {
      const value = random.int(n);
      expect(Number.isInteger(value) && value >= 0 && value < n).toBe(true);
    }
    for (const n of [0, -1, 1.5, 2 ** 33]) expect(() => random.int(n)).toThrow(UsageError);
  });

  it('shuffles every element exactly once, by seed', () => {
    const order = shuffle(100, 1, 2);
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i));
    expect(shuffle(100, 1, 2)).toEqual(order);
    expect(shuffle(100, 1, 3)).not.toEqual(order);
    expect(shuffle(0, 1).length).toBe(0);
  });
});
