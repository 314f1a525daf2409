/** A frame of the camera as pixels. */
import { UsageError, type Pixels } from '../../../src/index';
import { dropAlpha } from '../../../src/data/pixels';

/** The bitmap is closed: it was handed over. */
export function bitmapPixels(bitmap: ImageBitmap): Pixels {
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
  if (context === null) throw new UsageError('This browser has no canvas in workers to read pictures with.');
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return dropAlpha(width, height, context.getImageData(0, 0, width, height).data);
}
