/** A decoded image in ordinary memory: what every decoder hands over and every transform works on. */

/** 8-bit sRGB, rows from the top, three bytes a pixel: `data[(y * width + x) * 3 + channel]`. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** A rectangle of whole pixels. */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A black image. */
export function blank(width: number, height: number): Pixels {
  return { width, height, data: new Uint8Array(width * height * 3) };
}

/** The image mirrored left to right. */
export function flipHorizontal(pixels: Pixels): Pixels {
  const { width, height, data } = pixels;
  const out = new Uint8Array(data.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = (y * width + x) * 3;
      const to = (y * width + width - 1 - x) * 3;
      out[to] = data[from];
      out[to + 1] = data[from + 1];
      out[to + 2] = data[from + 2];
    }
  }
  return { width, height, data: out };
}

/** RGB out of RGBA, as Pillow's `convert('RGB')` does it: alpha is dropped, nothing is composited. */
export function dropAlpha(width: number, height: number, rgba: Uint8Array | Uint8ClampedArray): Pixels {
  const data = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; to < data.length; from += 4, to += 3) {
    data[to] = rgba[from];
    data[to + 1] = rgba[from + 1];
    data[to + 2] = rgba[from + 2];
  }
  return { width, height, data };
}
