/** One look at a picture when it comes in: its hash, whether the browser can decode it, and a small version to show. */
import type { ImageId } from '../../shared/protocol';

/** Longer side of a thumbnail, in pixels: sharp at 96 points on a dense screen. */
const THUMBNAIL = 192;
const MAX_PIXELS = 2 ** 28;

export async function sha256(blob: Blob): Promise<ImageId> {
  const digest = await crypto.subtle.digest('SHA-256', await blob.arrayBuffer());
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** @throws Error with the reason, when it cannot be decoded. */
export async function makeThumbnail(blob: Blob): Promise<Blob> {
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(blob);
  } catch (cause) {
    throw new Error(await whyNot(blob), { cause });
  }
  try {
    const { width, height } = bitmap;
    if (width * height > MAX_PIXELS) throw new Error(`${width} x ${height} pixels are more than can be handled; scale it down`);
    const scale = Math.min(1, THUMBNAIL / Math.max(width, height));
    const canvas = new OffscreenCanvas(Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale)));
    const context = canvas.getContext('2d');
    if (context === null) throw new Error('the browser has no canvas to draw it on');
    context.imageSmoothingQuality = 'high';
    context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    // WebP keeps what is transparent. Where a browser cannot write it, this is a PNG.
    return await canvas.convertToBlob({ type: 'image/webp', quality: 0.85 });
  } finally {
    bitmap.close();
  }
}

async function whyNot(blob: Blob): Promise<string> {
  const head = new Uint8Array(await blob.slice(0, 16).arrayBuffer());
  const text = String.fromCharCode(...head);
  const kind = head[0] === 0xff && head[1] === 0xd8 ? 'a JPEG' : text.startsWith('\x89PNG') ? 'a PNG' : text.startsWith('GIF8') ? 'a GIF' : text.startsWith('RIFF') ? 'a WebP' : text.startsWith('BM') ? 'a BMP' : undefined;
  if (text.slice(4, 12).startsWith('ftyphe')) return 'browsers cannot decode HEIC pictures; save it as JPEG or PNG';
  if (/^(II\*|MM\0\*)/.test(text)) return 'this browser cannot decode TIFF pictures; save it as JPEG or PNG';
  return kind ? `it begins as ${kind}, but cannot be decoded: the file is damaged or cut off` : `it is no picture that this browser can decode (${blob.size} bytes)`;
}
