/** Draws the map: each picture small, with a frame in its class's colour and its class's mark at a corner. */
import type { ImageId } from '../../../shared/protocol';
import { colourOf, traceMark } from './marks';
import { WHOLE, toScreen, type Box, type Spot, type View } from './mapView';

export interface MapPoint extends Spot {
  readonly id: ImageId;
  /** Position of its class among the classes. */
  readonly mark: number;
}

export interface MapScene {
  readonly points: readonly MapPoint[];
  /** Between a point and its nearest, as most have it at least. */
  readonly gap: Spot;
  readonly view: View;
  readonly box: Box;
  /** Position of the point that is hovered over or focused; -1 for none. */
  readonly current: number;
  /** The class that is shown alone; null for all. */
  readonly only: number | null;
}

/** Side of a picture in pixels: as large as leaves room for its frame and its neighbours, growing more slowly than the map. */
export function pictureSize({ gap, view, box }: Pick<MapScene, 'gap' | 'view' | 'box'>): number {
  const [at, beside] = [toScreen({ x: 0, y: 0 }, WHOLE, box), toScreen(gap, WHOLE, box)];
  const room = Math.max(beside.x - at.x, beside.y - at.y) - FRAMES;
  return Math.min(88, Math.max(12, Math.min(48, room)) * Math.sqrt(view.zoom));
}

/** Pixels that the frames of two neighbours take. */
const FRAMES = 5;

export function drawMap(context: CanvasRenderingContext2D, scene: MapScene, pictures: ReadonlyMap<ImageId, ImageBitmap>): void {
  const { points, view, box, current, only } = scene;
  const ratio = context.canvas.width / box.width;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, box.width, box.height);
  const style = getComputedStyle(context.canvas);
  const [paper, ink] = [style.getPropertyValue('--card').trim(), style.getPropertyValue('--ink').trim()];
  const size = pictureSize(scene);
  context.imageSmoothingQuality = 'low';
  const draw = (index: number, side: number): void => {
    const point = points[index];
    const { x, y } = toScreen(point, view, box);
    if (x < -side || y < -side || x > box.width + side || y > box.height + side) return;
    context.globalAlpha = only !== null && point.mark !== only && index !== current ? 0.12 : 1;
    const half = side / 2;
    const frame = side < 32 ? 2 : 3;
    // Paper, colour, picture: the thin paper edge keeps neighbours apart. Tiny ones go without, as there are many.
    if (side >= 18) {
      const edge = index === current ? 2 : 0.75;
      context.fillStyle = index === current ? ink : paper;
      context.fillRect(x - half - frame - edge, y - half - frame - edge, side + 2 * (frame + edge), side + 2 * (frame + edge));
    }
    context.fillStyle = colourOf(point.mark);
    context.fillRect(x - half - frame, y - half - frame, side + 2 * frame, side + 2 * frame);
    const picture = pictures.get(point.id);
    if (picture) context.drawImage(picture, x - half, y - half, side, side);
    const radius = Math.max(3.5, Math.min(8, side * 0.17));
    traceMark(context, point.mark, x + half, y + half, radius);
    if (side >= 18) {
      context.lineWidth = 2;
      context.strokeStyle = paper;
      context.stroke();
    }
    context.fill();
  };
  points.forEach((_, index) => { if (index !== current) draw(index, size); });
  if (current >= 0 && current < points.length) draw(current, Math.max(size * 1.3, 48));
  context.globalAlpha = 1;
}
