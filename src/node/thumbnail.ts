/** Small pictures for reports. */
import sharp from 'sharp';
import type { Sharp } from 'sharp';
import { ImageError } from '../data/dataset';
import { UsageError } from '../errors';
import { decodeBytes, readImage } from './decode';
import { isBmp } from './imageBmp';

/**
 * The image as a WebP data URI that fits into a square of `size` pixels, upright, on white where it is transparent.
 * @throws ImageError when it cannot be decoded
 */
export async function thumbnail(path: string, size = 96): Promise<string> {
  if (!Number.isInteger(size) || size < 1 || size > 4096) {
    throw new UsageError(`thumbnail: size must be a whole number from 1 to 4096, got ${size}`);
  }
  const bytes = await readImage(path, path);
  const webp = async (image: Sharp): Promise<string> => {
    const small = await image
      .resize(size, size, { fit: 'inside', withoutEnlargement: true })
      .flatten({ background: 'white' })
      .webp({ quality: 80 })
      .toBuffer();
    return `data:image/webp;base64,${small.toString('base64')}`;
  };
  if (!isBmp(bytes)) {
    try {
      // libvips shrinks while it decodes: a large photo costs a few milliseconds. Damage inside is forgiven.
      return await webp(sharp(bytes, { failOn: 'none' }).autoOrient());
    } catch {
      // The decoder below says in plain words what is wrong.
    }
  }
  const { width, height, data } = await decodeBytes(bytes, path);
  try {
    return await webp(sharp(data, { raw: { width, height, channels: 3 } }));
  } catch (cause) {
    throw new ImageError(path, 'cannot be made into a thumbnail', { cause });
  }
}
