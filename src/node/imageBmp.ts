/**
 * Uncompressed BMP: the one common image format that sharp does not read. 1, 4, 8, 16, 24 and 32 bits a pixel, with
 * palettes and bit masks, top-down or bottom-up. Source: Microsoft's description of BITMAPINFOHEADER.
 */
import { dropAlpha } from '../data/pixels';
import type { Pixels } from '../data/pixels';
import { Unusable } from './imageReason';

const RGB = 0;
const BITFIELDS = 3;
const ALPHA_BITFIELDS = 6;

export function isBmp(bytes: Uint8Array): boolean {
  return bytes.length >= 26 && bytes[0] === 0x42 && bytes[1] === 0x4d;
}

interface BmpHeader {
  readonly width: number;
  readonly height: number;
  readonly topDown: boolean;
  readonly bits: number;
  readonly pixelStart: number;
  readonly rowBytes: number;
  readonly paletteStart: number;
  readonly paletteEntry: number;
  readonly paletteLength: number;
  readonly masks: readonly [number, number, number] | undefined;
}

/** The header, checked against the file's length. @throws Unusable */
export function readBmpHeader(bytes: Uint8Array): BmpHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const need = (end: number): void => {
    if (end > bytes.length) throw new Unusable(`truncated BMP: ${bytes.length} bytes, at least ${end} are needed`);
  };
  need(26);
  const pixelStart = view.getUint32(10, true);
  const headerSize = view.getUint32(14, true);
  const core = headerSize === 12; // OS/2's first version: 16-bit sizes, 3-byte palette entries
  if (!core && headerSize < 40) throw new Unusable(`BMP header of ${headerSize} bytes is not known`);
  need(14 + headerSize);
  const width = core ? view.getUint16(18, true) : view.getInt32(18, true);
  const signedHeight = core ? view.getUint16(20, true) : view.getInt32(22, true);
  const bits = view.getUint16(core ? 24 : 28, true);
  const compression = core ? RGB : view.getUint32(30, true);
  const height = Math.abs(signedHeight);
  if (width < 1 || height < 1) throw new Unusable(`BMP of ${width} x ${height} pixels`);
  const masked = compression === BITFIELDS || compression === ALPHA_BITFIELDS;
  const packed = bits === 16 || bits === 32;
  if (!(compression === RGB || (masked && packed)) || ![1, 4, 8, 16, 24, 32].includes(bits)) {
    throw new Unusable(`BMP with ${bits} bits a pixel and compression ${compression} is not read; convert it to PNG`);
  }
  if (masked) need(66);
  const rowBytes = Math.ceil((width * bits) / 32) * 4;
  need(pixelStart + rowBytes * height);
  const paletteStart = 14 + headerSize;
  const paletteEntry = core ? 3 : 4;
  const colors = core ? 0 : view.getUint32(46, true);
  const paletteLength = bits > 8 ? 0 : colors === 0 || colors > 1 << bits ? 1 << bits : colors;
  need(paletteStart + paletteLength * paletteEntry);
  const word = (at: number): number => view.getUint32(at, true);
  return {
    width, height, bits, pixelStart, rowBytes, paletteStart, paletteEntry, paletteLength,
    topDown: signedHeight < 0,
    masks: masked ? [word(54), word(58), word(62)] : bits === 16 ? [0x7c00, 0x3e0, 0x1f] : undefined,
  };
}

/** @throws Unusable */
export function decodeBmp(bytes: Uint8Array): Pixels {
  const header = readBmpHeader(bytes);
  const { width, height, bits, topDown, pixelStart, rowBytes } = header;
  const rgba = new Uint8Array(width * 4);
  const data = new Uint8Array(width * height * 3);
  const readRow = bits <= 8 ? paletteRow : header.masks !== undefined ? maskedRow : plainRow;
  for (let y = 0; y < height; y++) {
    readRow(bytes, pixelStart + (topDown ? y : height - 1 - y) * rowBytes, header, rgba);
    data.set(dropAlpha(width, 1, rgba).data, y * width * 3);
  }
  return { width, height, data };
}

function paletteRow(bytes: Uint8Array, start: number, header: BmpHeader, out: Uint8Array): void {
  const { width, bits, paletteStart, paletteEntry, paletteLength } = header;
  const perByte = 8 / bits;
  for (let x = 0; x < width; x++) {
    const byte = bytes[start + Math.floor(x / perByte)];
    const index = (byte >> (8 - bits * ((x % perByte) + 1))) & ((1 << bits) - 1);
    const entry = paletteStart + Math.min(index, paletteLength - 1) * paletteEntry;
    for (let c = 0; c < 3; c++) out[x * 4 + c] = bytes[entry + 2 - c];
  }
}

function plainRow(bytes: Uint8Array, start: number, { width, bits }: BmpHeader, out: Uint8Array): void {
  const step = bits / 8;
  for (let x = 0; x < width; x++) {
    for (let c = 0; c < 3; c++) out[x * 4 + c] = bytes[start + x * step + 2 - c];
  }
}

function maskedRow(bytes: Uint8Array, start: number, { width, bits, masks }: BmpHeader, out: Uint8Array): void {
  if (masks === undefined) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const step = bits / 8;
  for (let x = 0; x < width; x++) {
    const at = start + x * step;
    const word = bits === 16 ? view.getUint16(at, true) : view.getUint32(at, true);
    masks.forEach((mask, c) => {
      if (mask === 0) {
        out[x * 4 + c] = 0;
        return;
      }
      const shift = 31 - Math.clz32(mask & -mask);
      const most = mask >>> shift;
      out[x * 4 + c] = Math.floor((((word & mask) >>> shift) * 255) / most);
    });
  }
}
