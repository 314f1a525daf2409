/** Features in a file: rows of a SHA-256 and the numbers that belong to it, after a head that tells how many. */
import type { Features } from '../../../src/index';

const MAGIC = 0x46545231; // 'FTR1'
const HEAD = 8;
const HASH = 32;

export function packFeatures(features: ReadonlyMap<string, Float32Array>): Blob {
  const [first] = features.values();
  const length = first?.length ?? 0;
  const stride = HASH + 4 * length;
  const rows = new Uint8Array(features.size * stride);
  let at = 0;
  for (const [hash, values] of features) {
    for (let i = 0; i < HASH; i++) rows[at + i] = Number.parseInt(hash.slice(2 * i, 2 * i + 2), 16);
    rows.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), at + HASH);
    at += stride;
  }
  return new Blob([new Uint32Array([MAGIC, length]), rows]);
}

/** Nothing from a file that is damaged: features can always be computed again. */
export function unpackFeatures(bytes: ArrayBuffer): Features {
  const features: Features = new Map();
  if (bytes.byteLength < HEAD) return features;
  const [magic, length] = new Uint32Array(bytes, 0, 2);
  const stride = HASH + 4 * length;
  if (magic !== MAGIC || length === 0 || (bytes.byteLength - HEAD) % stride !== 0) return features;
  const all = new Uint8Array(bytes);
  for (let at = HEAD; at < bytes.byteLength; at += stride) {
    const hash = Array.from(all.subarray(at, at + HASH), (byte) => byte.toString(16).padStart(2, '0')).join('');
    features.set(hash, new Float32Array(bytes.slice(at + HASH, at + stride)));
  }
  return features;
}
