/**
 * Antialiased resizing, equal bit for bit to `PIL.Image.resize` on RGB images (bilinear and bicubic), which is what
 * torchvision's published weights were evaluated with.
 *
 * The method is Pillow's: a separable filter whose support grows with the reduction, its weights rounded to 22-bit
 * fixed point, one pass along rows and one along columns with the values rounded to 8 bits between them. Any other
 * order or rounding differs by a grey level here and there.
 *
 * Each output pixel depends only on its own weights, so a window of the result can be computed alone. Resizing and
 * then cropping to 224 x 224 thus costs no memory for what the crop throws away, however elongated the image.
 */
import { ShapeError } from '../errors';
import type { Box, Pixels } from './pixels';

export type Interpolation = 'bilinear' | 'bicubic';

const FRACTION_BITS = 22;
const HALF = 1 << (FRACTION_BITS - 1);

interface Filter {
  readonly support: number;
  readonly weight: (x: number) => number;
}

const FILTERS: Readonly<Record<Interpolation, Filter>> = {
  bilinear: {
    support: 1,
    weight: (x) => (Math.abs(x) < 1 ? 1 - Math.abs(x) : 0),
  },
  bicubic: {
    support: 2,
    // Keys' cubic with a = -0.5.
    weight: (signed) => {
      const x = Math.abs(signed);
      if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
      if (x < 2) return (((x - 5) * x + 8) * x - 4) * -0.5;
      return 0;
    },
  },
};

/** For each output position of a range: where its input taps begin, how many there are, and their weights. */
interface Taps {
  readonly starts: Int32Array;
  readonly counts: Int32Array;
  readonly weights: Int32Array;
  /** Slots of `weights` for each output position. */
  readonly stride: number;
}

/**
 * `pixels` resized to `width` x `height`.
 *
 * @param options.box the part of the image to resize, as if it had been cropped first; default all of it
 * @param options.window the part of the resized image to return; default all of it
 * @throws ShapeError when a size is not a positive whole number or a rectangle lies outside its image
 */
export function resize(
  pixels: Pixels,
  width: number,
  height: number,
  interpolation: Interpolation,
  options: { readonly box?: Box; readonly window?: Box } = {},
): Pixels {
  if (!Number.isInteger(width) || !Number.isInteger(height) || width < 1 || height < 1) {
    throw new ShapeError(`resize: width and height must be whole numbers of at least 1, got ${width} x ${height}`);
  }
  const box = options.box ?? { x: 0, y: 0, width: pixels.width, height: pixels.height };
  const window = options.window ?? { x: 0, y: 0, width, height };
  checkInside('box', box, pixels.width, pixels.height);
  checkInside('window', window, width, height);

  // Pillow takes the columns first when a very tall image shrinks. The rounding between the passes makes it matter.
  if (box.height > box.width * 100 && height < box.height && box.width !== width) {
    const rows = { x: 0, y: window.y, width: box.width, height: window.height };
    const shorter = resize(pixels, box.width, height, interpolation, { box, window: rows });
    return resize(shorter, width, window.height, interpolation, { window: { ...window, y: 0 } });
  }

  const rows = box.height === height ? undefined : taps(box.height, height, window.y, window.height, interpolation);
  const [top, bottom] = rows === undefined ? [window.y, window.y + window.height] : extent(rows);
  const columns = box.width === width ? undefined : taps(box.width, width, window.x, window.width, interpolation);

  const between =
    columns === undefined
      ? copyRows(pixels, box.x + window.x, box.y + top, window.width, bottom - top)
      : resizeRows(pixels, box.x, box.y + top, bottom - top, window.width, columns);
  const data = rows === undefined ? between : resizeColumns(between, top, window.width, window.height, rows);
  return { width: window.width, height: window.height, data };
}

function checkInside(what: string, box: Box, width: number, height: number): void {
  const { x, y } = box;
  const whole = [x, y, box.width, box.height].every(Number.isInteger);
  if (!whole || x < 0 || y < 0 || box.width < 1 || box.height < 1 || x + box.width > width || y + box.height > height) {
    throw new ShapeError(
      `resize: ${what} ${box.width} x ${box.height} at (${x}, ${y}) must lie inside ${width} x ${height}`,
    );
  }
}

/** Taps of output positions `first` to `first + length - 1` when `inSize` samples become `outSize`. */
function taps(inSize: number, outSize: number, first: number, length: number, interpolation: Interpolation): Taps {
  const filter = FILTERS[interpolation];
  const scale = inSize / outSize;
  const filterScale = Math.max(scale, 1);
  const support = filter.support * filterScale;
  const stride = Math.ceil(support) * 2 + 1;
  const inverse = 1 / filterScale;
  const starts = new Int32Array(length);
  const counts = new Int32Array(length);
  const weights = new Int32Array(length * stride);
  const exact = new Float64Array(stride);

  for (let i = 0; i < length; i++) {
    const centre = (first + i + 0.5) * scale;
    const start = Math.max(Math.trunc(centre - support + 0.5), 0);
    const count = Math.min(Math.trunc(centre + support + 0.5), inSize) - start;
    let total = 0;
    for (let k = 0; k < count; k++) {
      exact[k] = filter.weight((k + start - centre + 0.5) * inverse);
      total += exact[k];
    }
    for (let k = 0; k < count; k++) {
      const weight = total === 0 ? exact[k] : exact[k] / total;
      weights[i * stride + k] = Math.trunc(weight * (1 << FRACTION_BITS) + (weight < 0 ? -0.5 : 0.5));
    }
    starts[i] = start;
    counts[i] = count;
  }
  return { starts, counts, weights, stride };
}

/** First input position any tap reads, and one past the last. */
function extent({ starts, counts }: Taps): [number, number] {
  const last = starts.length - 1;
  return [starts[0], starts[last] + counts[last]];
}

function copyRows(pixels: Pixels, x: number, y: number, width: number, height: number): Uint8Array {
  const out = new Uint8Array(width * height * 3);
  for (let row = 0; row < height; row++) {
    const from = ((y + row) * pixels.width + x) * 3;
    out.set(pixels.data.subarray(from, from + width * 3), row * width * 3);
  }
  return out;
}

function resizeRows(
  pixels: Pixels, left: number, top: number, height: number, width: number, columns: Taps,
): Uint8Array {
  const { data } = pixels;
  const { starts, counts, weights, stride } = columns;
  const out = new Uint8Array(width * height * 3);
  let to = 0;
  for (let row = 0; row < height; row++) {
    const rowStart = ((top + row) * pixels.width + left) * 3;
    for (let x = 0; x < width; x++) {
      let red = HALF;
      let green = HALF;
      let blue = HALF;
      let from = rowStart + starts[x] * 3;
      const end = x * stride + counts[x];
      for (let k = x * stride; k < end; k++, from += 3) {
        const weight = weights[k];
        red = (red + data[from] * weight) | 0;
        green = (green + data[from + 1] * weight) | 0;
        blue = (blue + data[from + 2] * weight) | 0;
      }
      out[to++] = clip(red >> FRACTION_BITS);
      out[to++] = clip(green >> FRACTION_BITS);
      out[to++] = clip(blue >> FRACTION_BITS);
    }
  }
  return out;
}

/** `between` holds the input's rows from `top` on, each `width` pixels. */
function resizeColumns(between: Uint8Array, top: number, width: number, height: number, rows: Taps): Uint8Array {
  const { starts, counts, weights, stride } = rows;
  const rowBytes = width * 3;
  const out = new Uint8Array(rowBytes * height);
  const sums = new Int32Array(rowBytes);
  for (let y = 0; y < height; y++) {
    sums.fill(HALF);
    for (let k = 0; k < counts[y]; k++) {
      const weight = weights[y * stride + k];
      const from = (starts[y] + k - top) * rowBytes;
      for (let i = 0; i < rowBytes; i++) sums[i] += between[from + i] * weight;
    }
    const to = y * rowBytes;
    for (let i = 0; i < rowBytes; i++) out[to + i] = clip(sums[i] >> FRACTION_BITS);
  }
  return out;
}

function clip(value: number): number {
  return value < 0 ? 0 : value > 255 ? 255 : value;
}
