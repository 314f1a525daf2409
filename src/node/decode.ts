/**
 * Decoding in Node, by sharp (libvips), to what Pillow's `Image.open(path).convert('RGB')` gives: 8-bit RGB, grey
 * spread over the channels, alpha dropped (not composited), colour profiles not applied, CMYK by Pillow's formula,
 * the first frame of an animation.
 *
 * One deliberate difference: EXIF rotation is applied, so photos are upright. torchvision leaves them as the sensor
 * lay, which is seldom what a photographer means.
 */
import { readFile, stat } from 'node:fs/promises';
import { freemem } from 'node:os';
import sharp from 'sharp';
import type { AugmentDraw } from '../data/augment';
import { ImageError } from '../data/dataset';
import { preprocess } from '../data/preprocess';
import type { Preprocessing } from '../data/preprocess';
import { dropAlpha } from '../data/pixels';
import type { Pixels } from '../data/pixels';
import { decodeBmp, isBmp, readBmpHeader } from './imageBmp';
import { READABLE, Unusable, explain } from './imageReason';

/** 2^28: 20,000 x 13,000 fits. Decoded that is 800 MB. */
const MOST_PIXELS = 2 ** 28;
/** Below this nobody asks how much memory is free. */
const ALWAYS_FITS = 2 ** 25;
const MOST_BYTES = 2 ** 30;
const FORMATS: readonly string[] = ['jpeg', 'png', 'webp', 'gif', 'tiff', 'heif'];

const OPEN = { failOn: 'error', limitInputPixels: false, ignoreIcc: true } as const;

/** Everything a worker needs to make one input: plain data. */
export interface ImageRequest {
  readonly path: string;
  /** What messages call the image. */
  readonly name: string;
  readonly preprocessing: Preprocessing;
  readonly augment?: AugmentDraw;
}

/** Reads, decodes and preprocesses one image: what workers run, and what runs in process where there are none. */
export async function decodeAndPreprocess({ path, name, preprocessing, augment }: ImageRequest): Promise<Float32Array> {
  return preprocess(await decodeFile(path, name), preprocessing, augment);
}

/**
 * The file's pixels.
 * @throws ImageError when it cannot be read, is not an image, is truncated or damaged, or is too large for memory
 */
export async function decodeFile(path: string, name = path): Promise<Pixels> {
  return decodeBytes(await readImage(path, name), name);
}

/** As `decodeFile`, of bytes in memory. */
export async function decodeBytes(bytes: Uint8Array, name: string): Promise<Pixels> {
  const { space } = await checkHeader(bytes, name);
  try {
    if (isBmp(bytes)) return decodeBmp(bytes);
    const image = sharp(bytes, OPEN).autoOrient();
    if (space === 'cmyk') {
      // Kept as CMYK all the way: sharp's own conversion goes through a colour profile, Pillow's does not.
      const { data, info } = await image.pipelineColourspace('cmyk').toColourspace('cmyk').raw({ depth: 'uchar' })
        .toBuffer({ resolveWithObject: true });
      return fromCmyk(info.width, info.height, info.channels, data);
    }
    const { data, info } = await image.toColourspace('srgb').removeAlpha().raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    return toRgb(info.width, info.height, info.channels, data);
  } catch (cause) {
    throw new ImageError(name, explain(cause), { cause });
  }
}

/**
 * The file's bytes, after a look at what it is: opening a pipe would wait forever.
 * @throws ImageError
 */
export async function readImage(path: string, name: string): Promise<Buffer> {
  try {
    const info = await stat(path);
    if (!info.isFile()) throw new Unusable('it is not a regular file');
    if (info.size > MOST_BYTES) throw new Unusable(`the file has ${info.size} bytes; the most that is read is ${MOST_BYTES}`);
    return await readFile(path);
  } catch (cause) {
    throw new ImageError(name, explain(cause), { cause });
  }
}

/**
 * Format and size from the header alone, in a millisecond. Finds what is empty, no image, too large, or lacks its
 * end; damage inside shows only when the image is decoded.
 * @throws ImageError
 */
export async function checkHeader(
  bytes: Uint8Array, name: string,
): Promise<{ width: number; height: number; space: string | undefined }> {
  try {
    if (bytes.length === 0) throw new Unusable('the file is empty (0 bytes)');
    if (isBmp(bytes)) {
      const { width, height } = readBmpHeader(bytes);
      checkSize(width, height);
      return { width, height, space: undefined };
    }
    const { format, width, height, space, compression } = await sharp(bytes, OPEN).metadata();
    if (!FORMATS.includes(format)) throw new Unusable(`it is ${format.toUpperCase()}, not ${READABLE}`);
    if (compression === 'hevc') throw new Unusable(`HEIC (HEVC) is not read; convert it to ${READABLE}`);
    checkSize(width, height);
    checkEnd(bytes, format);
    return { width, height, space };
  } catch (cause) {
    throw new ImageError(name, explain(cause), { cause });
  }
}

function checkSize(width: number, height: number): void {
  const pixels = width * height;
  const mega = (count: number): string => `${Math.round(count / 1e6)} megapixels`;
  if (pixels > MOST_PIXELS) {
    throw new Unusable(
      `it has ${width} x ${height} pixels (${mega(pixels)}); the most that is decoded is ${mega(MOST_PIXELS)}: scale it down`,
    );
  }
  // Up to four channels in libvips' output, and three in ours where a channel is dropped.
  const bytes = pixels * 7;
  if (pixels > ALWAYS_FITS && bytes > freemem()) {
    const giga = (count: number): string => (count / 1e9).toFixed(1);
    throw new Unusable(
      `it has ${width} x ${height} pixels, which take up to ${giga(bytes)} GB to decode, `
      + `and ${giga(freemem())} GB are free: scale it down`,
    );
  }
}

/** JPEG and PNG headers say nothing of the file's length, but both formats end with a mark. */
function checkEnd(bytes: Uint8Array, format: string): void {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const mark = format === 'jpeg' ? Buffer.from([0xff, 0xd9]) : format === 'png' ? Buffer.from('IEND') : undefined;
  if (mark !== undefined && buffer.lastIndexOf(mark) < 0) {
    throw new Unusable(`it is truncated: ${bytes.length} bytes without the end of a ${format.toUpperCase()}`);
  }
}

function toRgb(width: number, height: number, channels: number, data: Buffer): Pixels {
  if (channels === 3) return { width, height, data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
  if (channels === 4) return dropAlpha(width, height, data);
  const out = new Uint8Array(width * height * 3);
  for (let i = 0; i < width * height; i++) out.fill(data[i * channels], i * 3, i * 3 + 3);
  return { width, height, data: out };
}

/** Pillow's conversion: each ink takes its share of what black leaves, rounded as x * y / 255. */
function fromCmyk(width: number, height: number, channels: number, data: Buffer): Pixels {
  const out = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; to < out.length; from += channels, to += 3) {
    const light = 255 - data[from + 3];
    for (let c = 0; c < 3; c++) {
      const product = data[from + c] * light + 128;
      out[to + c] = Math.max(0, light - (((product >> 8) + product) >> 8));
    }
  }
  return { width, height, data: out };
}
