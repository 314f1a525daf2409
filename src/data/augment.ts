/**
 * Random views of training images: torchvision's `RandomResizedCrop`, `RandomHorizontalFlip` and `ColorJitter`
 * (brightness, contrast, saturation), with Pillow's 8-bit rounding.
 *
 * A draw depends only on the seed, the epoch and the image's content, never on batch order, workers or timing.
 */
import { UsageError } from '../errors';
import type { Box, Pixels } from './pixels';
import { Random } from '../random';

/** Which transforms are applied; one that is left out is off. Plain JSON. */
export interface Augmentation {
  /** A random part of the image, resized to the crop size, in place of resize and centre crop. */
  readonly randomResizedCrop?: {
    /** Smallest and largest share of the image's area; torchvision's default is [0.08, 1]. */
    readonly scale: readonly [number, number];
    /** Smallest and largest width / height; torchvision's default is [3/4, 4/3]. */
    readonly ratio: readonly [number, number];
  };
  /** Probability of mirroring left to right; torchvision's default is 0.5. */
  readonly horizontalFlip?: number;
  /** Each factor is drawn from [max(0, 1 - x), 1 + x]; 0 or absent leaves that property alone. */
  readonly colorJitter?: { readonly brightness?: number; readonly contrast?: number; readonly saturation?: number };
}

/** torchvision's training preset for classification: random resized crop and horizontal flip. */
export const STANDARD_AUGMENTATION: Augmentation = {
  randomResizedCrop: { scale: [0.08, 1], ratio: [3 / 4, 4 / 3] },
  horizontalFlip: 0.5,
};

/** One particular view: the transforms and everything their random numbers depend on. */
export interface AugmentDraw {
  readonly augmentation: Augmentation;
  readonly seed: number;
  readonly epoch: number;
  /** Identifies the image: whole numbers, for instance words of its content hash. */
  readonly image: readonly number[];
  /** Tells apart several views of one image in one epoch; default 0. */
  readonly repeat?: number;
}

/** The random stream of one transform of one view. */
export function randomFor(draw: AugmentDraw, transform: number): Random {
  return new Random(draw.seed, draw.epoch, draw.repeat ?? 0, transform, ...draw.image);
}

/** @throws UsageError when a value of the augmentation is out of range */
export function checkAugmentation(augmentation: Augmentation): void {
  const { randomResizedCrop: crop, horizontalFlip: flip, colorJitter } = augmentation;
  if (crop !== undefined) {
    const [[small, large], [narrow, wide]] = [crop.scale, crop.ratio];
    if (!(small > 0 && small <= large && large <= 1)) {
      throw new UsageError(
        `augmentation: randomResizedCrop.scale must satisfy 0 < low <= high <= 1, got [${small}, ${large}]`,
      );
    }
    if (!(narrow > 0 && narrow <= wide && wide <= 1000)) {
      throw new UsageError(
        `augmentation: randomResizedCrop.ratio must satisfy 0 < low <= high <= 1000, got [${narrow}, ${wide}]`,
      );
    }
  }
  if (flip !== undefined && !(flip >= 0 && flip <= 1)) {
    throw new UsageError(`augmentation: horizontalFlip is a probability from 0 to 1, got ${flip}`);
  }
  for (const [name, value] of Object.entries(colorJitter ?? {})) {
    if (!(value >= 0 && value <= 10)) {
      throw new UsageError(`augmentation: colorJitter.${name} must be from 0 to 10, got ${value}`);
    }
  }
}

/**
 * The part of a width x height image that `RandomResizedCrop` picks: ten tries at an area and a ratio that fit, then
 * the largest centred part whose ratio is allowed.
 */
export function drawCrop(
  width: number, height: number, crop: NonNullable<Augmentation['randomResizedCrop']>, random: Random,
): Box {
  const [narrow, wide] = crop.ratio;
  for (let attempt = 0; attempt < 10; attempt++) {
    const area = width * height * random.uniform(crop.scale[0], crop.scale[1]);
    const ratio = Math.exp(random.uniform(Math.log(narrow), Math.log(wide)));
    const w = Math.round(Math.sqrt(area * ratio));
    const h = Math.round(Math.sqrt(area / ratio));
    if (w > 0 && w <= width && h > 0 && h <= height) {
      const y = random.int(height - h + 1);
      const x = random.int(width - w + 1);
      return { x, y, width: w, height: h };
    }
  }
  let w = width;
  let h = height;
  if (width / height < narrow) h = Math.max(1, Math.min(height, Math.round(width / narrow)));
  else if (width / height > wide) w = Math.max(1, Math.min(width, Math.round(height * wide)));
  return { x: Math.floor((width - w) / 2), y: Math.floor((height - h) / 2), width: w, height: h };
}

/** `ColorJitter`: the adjustments in a random order, each by a random factor. */
export function adjustColors(
  pixels: Pixels, jitter: NonNullable<Augmentation['colorJitter']>, random: Random,
): Pixels {
  const adjustments = [
    { amount: jitter.brightness ?? 0, apply: adjustBrightness },
    { amount: jitter.contrast ?? 0, apply: adjustContrast },
    { amount: jitter.saturation ?? 0, apply: adjustSaturation },
  ].map(({ amount, apply }) => ({ amount, apply, factor: random.uniform(Math.max(0, 1 - amount), 1 + amount) }));
  for (let i = adjustments.length - 1; i > 0; i--) {
    const j = random.int(i + 1);
    [adjustments[i], adjustments[j]] = [adjustments[j], adjustments[i]];
  }
  let out = pixels;
  for (const { amount, apply, factor } of adjustments) if (amount > 0) out = apply(out, factor);
  return out;
}

/** Factor 0 is black, 1 the image itself. */
export function adjustBrightness(pixels: Pixels, factor: number): Pixels {
  return blend(pixels, factor, () => 0);
}

/** Factor 0 is the image's mean grey, 1 the image itself. */
export function adjustContrast(pixels: Pixels, factor: number): Pixels {
  const { data } = pixels;
  let total = 0;
  for (let i = 0; i < data.length; i += 3) total += luma(data, i);
  const mean = Math.trunc(total / (data.length / 3) + 0.5);
  return blend(pixels, factor, () => mean);
}

/** Factor 0 is the image in grey, 1 the image itself. */
export function adjustSaturation(pixels: Pixels, factor: number): Pixels {
  return blend(pixels, factor, luma);
}

/** Rec. 601 luma in 16-bit fixed point, as Pillow's mode L. */
function luma(data: Uint8Array, i: number): number {
  return (data[i] * 19595 + data[i + 1] * 38470 + data[i + 2] * 7471 + 0x8000) >> 16;
}

/** origin + factor * (value - origin), in float32, fraction cut off and clipped to a byte. */
function blend(pixels: Pixels, factor: number, origin: (data: Uint8Array, i: number) => number): Pixels {
  const { width, height, data } = pixels;
  const { fround } = Math;
  const alpha = fround(factor);
  const out = new Uint8Array(data.length);
  for (let i = 0; i < data.length; i += 3) {
    const from = origin(data, i);
    for (let channel = i; channel < i + 3; channel++) {
      const value = fround(from + fround(alpha * (data[channel] - from)));
      out[channel] = value <= 0 ? 0 : value >= 255 ? 255 : Math.trunc(value);
    }
  }
  return { width, height, data: out };
}
