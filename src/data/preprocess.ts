/**
 * From pixels to network input, as torchvision's classification presets do it on Pillow images:
 * `Resize(resizeSize)` of the shorter side, `CenterCrop(cropSize)`, `ToTensor`, `Normalize(mean, std)`.
 */
import { DataError } from '../errors';
import { adjustColors, drawCrop, randomFor } from './augment';
import type { AugmentDraw } from './augment';
import { blank, flipHorizontal } from './pixels';
import type { Pixels } from './pixels';
import { resize } from './resize';
import type { Interpolation } from './resize';

/** How images become input for a set of weights. Plain JSON, saved with the model. */
export interface Preprocessing {
  /** The shorter side after resizing, in pixels. */
  readonly resizeSize: number;
  /** Side of the square cut from the centre: the network's input. */
  readonly cropSize: number;
  readonly interpolation: Interpolation;
  /** Per channel (R, G, B) of values in [0, 1]. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** What torchvision's `IMAGENET1K_V1` weights of ResNet expect. */
export const IMAGENET_PREPROCESSING: Preprocessing = {
  resizeSize: 256,
  cropSize: 224,
  interpolation: 'bilinear',
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
};

/**
 * The value as a `Preprocessing`, for JSON that was read from a file.
 * @throws DataError naming the first field that is missing or out of range
 */
export function checkPreprocessing(value: unknown): Preprocessing {
  if (typeof value !== 'object' || value === null) throw new DataError('preprocessing: must be an object');
  const { resizeSize, cropSize, interpolation, mean, std } = value as Record<string, unknown>;
  if (interpolation !== 'bilinear' && interpolation !== 'bicubic') {
    const got = JSON.stringify(interpolation);
    throw new DataError(`preprocessing: interpolation must be 'bilinear' or 'bicubic', got ${got}`);
  }
  const three = (name: string, list: unknown, least: number): number[] => {
    const good = Array.isArray(list) && list.length === 3
      && list.every((x) => typeof x === 'number' && Number.isFinite(x) && x >= least);
    if (!good) {
      throw new DataError(`preprocessing: ${name} must be three numbers of at least ${least}, got ${JSON.stringify(list)}`);
    }
    return [...(list as number[])];
  };
  return {
    resizeSize: checkSide('resizeSize', resizeSize),
    cropSize: checkSide('cropSize', cropSize),
    interpolation,
    mean: three('mean', mean, -1e6),
    std: three('std', std, 1e-6),
  };
}

/** A side beyond 8192 would take gigabytes an image: surely a slip. */
function checkSide(name: string, value: unknown): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 8192) return value;
  throw new DataError(`preprocessing: ${name} must be a whole number from 1 to 8192, got ${JSON.stringify(value)}`);
}

/**
 * One image as network input, shape [cropSize, cropSize, 3] (channels last, the engine's layout), float32.
 * Equal to torchvision's result for the same pixels. With `augment`, a random view drawn from it instead of the
 * centre crop.
 */
export function preprocess(pixels: Pixels, preprocessing: Preprocessing, augment?: AugmentDraw): Float32Array {
  return normalize(view(pixels, preprocessing, augment), preprocessing.mean, preprocessing.std);
}

/** The pixels `preprocess` normalises: cropSize x cropSize, still 8-bit. Reports show this. */
export function view(pixels: Pixels, preprocessing: Preprocessing, augment?: AugmentDraw): Pixels {
  const { resizeSize, cropSize, interpolation } = preprocessing;
  if (augment === undefined) return resizeAndCenterCrop(pixels, resizeSize, cropSize, interpolation);
  const { randomResizedCrop, horizontalFlip, colorJitter } = augment.augmentation;
  // One stream per transform: switching one off leaves the others' draws as they were.
  let out = randomResizedCrop === undefined
    ? resizeAndCenterCrop(pixels, resizeSize, cropSize, interpolation)
    : resize(pixels, cropSize, cropSize, interpolation, {
      box: drawCrop(pixels.width, pixels.height, randomResizedCrop, randomFor(augment, 1)),
    });
  if (horizontalFlip !== undefined && randomFor(augment, 2).next() < horizontalFlip) out = flipHorizontal(out);
  if (colorJitter !== undefined) out = adjustColors(out, colorJitter, randomFor(augment, 3));
  return out;
}

/**
 * Width and height after torchvision's `Resize(size)`: the shorter side becomes `size`, the longer one keeps the
 * proportion, its fraction cut off.
 */
export function resizedSize(width: number, height: number, size: number): [number, number] {
  return width <= height
    ? [size, Math.trunc((size * height) / width)]
    : [Math.trunc((size * width) / height), size];
}

/** `Resize(size)` then `CenterCrop(crop)`; where the resized image is smaller than the crop, the rest is black. */
export function resizeAndCenterCrop(pixels: Pixels, size: number, crop: number, interpolation: Interpolation): Pixels {
  const [width, height] = resizedSize(pixels.width, pixels.height, size);
  const horizontal = centre(width, crop);
  const vertical = centre(height, crop);
  const window = { x: horizontal.from, y: vertical.from, width: horizontal.length, height: vertical.length };
  const part = resize(pixels, width, height, interpolation, { window });
  if (part.width === crop && part.height === crop) return part;
  const padded = blank(crop, crop);
  for (let y = 0; y < part.height; y++) {
    const row = part.data.subarray(y * part.width * 3, (y + 1) * part.width * 3);
    padded.data.set(row, ((y + vertical.to) * crop + horizontal.to) * 3);
  }
  return padded;
}

/** Along one axis: which samples the centre crop keeps, and where they land in it. */
function centre(length: number, crop: number): { from: number; to: number; length: number } {
  if (length >= crop) return { from: roundHalfEven((length - crop) / 2), to: 0, length: crop };
  return { from: 0, to: Math.floor((crop - length) / 2), length };
}

/** Python's `round`, which torchvision's crop uses: halves go to the even neighbour. */
function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** `ToTensor` and `Normalize`: (value / 255 - mean) / std in float32, each step rounded as PyTorch rounds it. */
export function normalize(pixels: Pixels, mean: readonly number[], std: readonly number[]): Float32Array {
  const { fround } = Math;
  const tables = [0, 1, 2].map((channel) =>
    Float32Array.from({ length: 256 }, (_, value) =>
      fround(fround(fround(value / 255) - fround(mean[channel])) / fround(std[channel]))));
  const { data } = pixels;
  const out = new Float32Array(data.length);
  for (let i = 0; i < data.length; i += 3) {
    out[i] = tables[0][data[i]];
    out[i + 1] = tables[1][data[i + 1]];
    out[i + 2] = tables[2][data[i + 2]];
  }
  return out;
}
