/** Decoding by the browser. */
import { ImageError } from './dataset';
import { dropAlpha } from './pixels';
import type { Pixels } from './pixels';

/** Rows read at a time: a canvas as large as the image would break browsers' limits long before the image does. */
const STRIP_BYTES = 16 * 2 ** 20;

/**
 * An image file's pixels: upright (EXIF rotation applied), first frame of an animation, 8 bits, grey and CMYK turned
 * into RGB, alpha dropped. Embedded colour profiles are not applied, as Pillow and the Node decoder do not either.
 *
 * A canvas stores colours multiplied by alpha, so colours under nearly transparent pixels are coarser here than in
 * Node, and black where alpha is 0.
 * @throws ImageError when the browser cannot decode it
 */
export async function decodeBlob(blob: Blob, name = 'image'): Promise<Pixels> {
  if (blob.size === 0) throw new ImageError(name, 'the file is empty (0 bytes)');
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(blob, {
      imageOrientation: 'from-image', colorSpaceConversion: 'none', premultiplyAlpha: 'none',
    });
  } catch (cause) {
    throw new ImageError(name, `the browser cannot decode it (${blob.type || 'unknown type'}, ${blob.size} bytes)`, { cause });
  }
  try {
    return readBitmap(bitmap);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
    throw new ImageError(name, `${bitmap.width} x ${bitmap.height} pixels cannot be read (${why}); scale it down`, { cause });
  } finally {
    bitmap.close();
  }
}

function readBitmap(bitmap: ImageBitmap): Pixels {
  const { width, height } = bitmap;
  const rows = Math.max(1, Math.min(height, Math.floor(STRIP_BYTES / (width * 4))));
  const canvas = new OffscreenCanvas(width, rows);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (context === null) throw new Error('no 2d canvas');
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y += rows) {
    const count = Math.min(rows, height - y);
    context.clearRect(0, 0, width, rows);
    context.drawImage(bitmap, 0, y, width, count, 0, 0, width, count);
    data.set(dropAlpha(width, count, context.getImageData(0, 0, width, count).data).data, y * width * 3);
  }
  return { width, height, data };
}
