/** Small bitmaps of the project's images, for the map: a few at a time, so that the worker keeps its hands free. */
import type { ImageId } from '../../../shared/protocol';
import { studio } from '../../session';

const AT_ONCE = 4;
const SIDE = 72;
/** Milliseconds between two drawings of what has come. */
const EVERY = 200;

export interface MapPictures {
  readonly bitmaps: ReadonlyMap<ImageId, ImageBitmap>;
  dispose(): void;
}

/** `onMore` is called when some have come. An image without a picture stays a coloured square. */
export function loadPictures(ids: readonly ImageId[], onMore: () => void): MapPictures {
  const bitmaps = new Map<ImageId, ImageBitmap>();
  let over = false;
  let next = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const tell = (): void => {
    timer = undefined;
    onMore();
  };
  const work = async (): Promise<void> => {
    while (!over && next < ids.length) {
      const id = ids[next++];
      try {
        const bitmap = await squareOf(await studio.thumbnail(id));
        if (over) bitmap.close();
        else bitmaps.set(id, bitmap);
      } catch {
        continue; // the frame and the mark tell its class
      }
      if (!over) timer ??= setTimeout(tell, EVERY);
    }
  };
  for (let i = 0; i < AT_ONCE; i++) void work();
  return {
    bitmaps,
    dispose() {
      over = true;
      clearTimeout(timer);
      for (const bitmap of bitmaps.values()) bitmap.close();
      bitmaps.clear();
    },
  };
}

/** The middle square, as the network sees it. */
async function squareOf(blob: Blob): Promise<ImageBitmap> {
  const whole = await createImageBitmap(blob);
  const side = Math.min(whole.width, whole.height);
  const cut = await createImageBitmap(whole, (whole.width - side) >> 1, (whole.height - side) >> 1, side, side, { resizeWidth: SIDE, resizeHeight: SIDE, resizeQuality: 'medium' });
  whole.close();
  return cut;
}
