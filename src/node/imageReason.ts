/** Why an image is no good, in one line for people. */
import { ImageError } from '../data/dataset';

/** Formats as people know them. */
export const READABLE = 'JPEG, PNG, WebP, GIF, AVIF, TIFF or BMP';

/** Thrown inside the decoder with a reason that needs no explaining; it leaves as an `ImageError` with the name. */
export class Unusable extends Error {}

/** The reason out of what the decoder, libvips or the system threw. */
export function explain(cause: unknown): string {
  if (cause instanceof Unusable) return cause.message;
  if (cause instanceof ImageError) return cause.reason;
  if (!(cause instanceof Error)) return String(cause);
  const code = 'code' in cause ? String(cause.code) : undefined;
  if (code === 'ENOENT') return 'there is no such file';
  if (code === 'EACCES' || code === 'EPERM') return 'permission to read it is denied';
  if (code !== undefined) return `it cannot be read (${code})`;
  const line = cause.message.trim().split('\n').at(-1) ?? '';
  if (/unsupported image format/.test(line)) return `it is not ${READABLE}, whatever its name says`;
  if (/unsupported (codec|feature)|compression format|hevc/i.test(line)) {
    return `its compression is not read (${line}); convert it to JPEG or PNG`;
  }
  return `it is truncated or damaged (${line})`;
}
