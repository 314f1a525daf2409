/** The map to look around in: wheel, pinch and buttons zoom, dragging pans, arrow keys go from picture to picture. */
import { useSignal } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { MinusIcon, PlusIcon } from '../../../ui/icons';
import type { EmbeddingMap } from '../../../shared/protocol';
import { state } from '../../session';
import { placesOf } from './judged';
import { lookAt } from './looking';
import { MapGestures } from './mapGestures';
import { drawMap, pictureSize, type MapPoint, type MapScene } from './mapCanvas';
import { loadPictures, type MapPictures } from './mapPictures';
import { WHOLE, gapOf, nearest, reveal, toScreen, towards, unitPositions, zoomAt, type Box, type Spot, type View } from './mapView';
import { colourOf, markPath } from './marks';

const ARROWS: Record<string, readonly [number, number]> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export function PictureMap({ map }: { readonly map: EmbeddingMap }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const pictures = useRef<MapPictures>(null);
  const view = useSignal<View>(WHOLE);
  const box = useSignal<Box>({ width: 600, height: 420 });
  const current = useSignal(-1);
  const only = useSignal<number | null>(null);
  const classes = state.classes.value;
  const order = useMemo(() => [...new Set(map.points.map(({ classId }) => classId))].sort((a, b) => a - b), [map]);
  const points = useMemo<MapPoint[]>(() => {
    const spots = unitPositions(map.points);
    return map.points.map(({ id, classId }, i) => ({ ...spots[i], id, mark: order.indexOf(classId) }));
  }, [map]);
  const places = useMemo(() => placesOf(classes), [classes]);
  const names = new Map(classes.map(({ id, name }) => [id, name]));
  const className = (mark: number): string => names.get(order[mark]) ?? 'a removed class';

  const gap = useMemo(() => gapOf(points), [points]);
  const scene = useRef<MapScene>(null as never);
  scene.current = { points, gap, view: view.value, box: box.value, current: current.value, only: only.value };
  const frame = useRef(0);
  const redraw = (): void => {
    frame.current ||= requestAnimationFrame(drawNow);
  };
  const drawNow = (): void => {
    cancelAnimationFrame(frame.current);
    frame.current = 0;
    const context = canvas.current?.getContext('2d');
    if (context && pictures.current) drawMap(context, scene.current, pictures.current.bitmaps);
  };
  useEffect(redraw);

  useEffect(() => {
    const loaded = loadPictures(map.points.map(({ id }) => id), redraw);
    pictures.current = loaded;
    view.value = WHOLE;
    current.value = -1;
    return () => loaded.dispose();
  }, [map]);

  useEffect(() => {
    const element = canvas.current as HTMLCanvasElement;
    const fit = (): void => {
      const { clientWidth: width, clientHeight: height } = element;
      const [across, down] = [Math.round(width * devicePixelRatio), Math.round(height * devicePixelRatio)];
      if (width === 0 || (element.width === across && element.height === down)) return;
      element.width = across;
      element.height = down;
      box.value = { width, height };
      scene.current = { ...scene.current, box: box.value };
      drawNow(); // giving it a size has wiped it, and the page is about to be painted
    };
    const resized = new ResizeObserver(fit);
    resized.observe(element);
    const themed = new MutationObserver(redraw);
    themed.observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme'] });
    const system = matchMedia('(prefers-color-scheme: dark)');
    system.addEventListener('change', redraw);
    const at = (spot: Spot): number => nearest(onScreen(), spot, Math.max(18, pictureSize(scene.current) * 0.75));
    const gestures = new MapGestures(element, {
      view: () => scene.current.view,
      box: () => scene.current.box,
      onView: (next) => { view.value = next; },
      onHover: (spot) => { current.value = spot ? at(spot) : -1; },
      onPick: (spot) => open(at(spot)),
    });
    return () => {
      cancelAnimationFrame(frame.current);
      frame.current = 0;
      resized.disconnect();
      themed.disconnect();
      system.removeEventListener('change', redraw);
      gestures.dispose();
    };
  }, []);

  const onScreen = (): Spot[] => scene.current.points.map((point) => toScreen(point, scene.current.view, scene.current.box));
  const openRef = useRef((_: number): void => undefined);
  openRef.current = (index) => {
    const point = points[index] as MapPoint | undefined;
    if (point && places.has(point.id)) lookAt({ picture: point.id, name: places.get(point.id)?.image.name ?? '', label: className(point.mark) });
  };
  const open = (index: number): void => openRef.current(index);
  const zoom = (factor: number): void => {
    const point = points[current.value] as MapPoint | undefined;
    const at = point ? toScreen(point, view.value, box.value) : { x: box.value.width / 2, y: box.value.height / 2 };
    view.value = zoomAt(view.value, factor, at, box.value);
  };

  const onKey = (event: KeyboardEvent): void => {
    const direction = ARROWS[event.key];
    if (direction) {
      const from = current.value;
      const next = from < 0 ? nearest(onScreen(), { x: box.value.width / 2, y: box.value.height / 2 }, Infinity) : towards(onScreen(), from, ...direction);
      if (next >= 0) {
        current.value = next;
        view.value = reveal(view.value, points[next], box.value);
      }
    } else if (event.key === 'Enter' || event.key === ' ') open(current.value);
    else if (event.key === '+' || event.key === '=') zoom(1.5);
    else if (event.key === '-') zoom(1 / 1.5);
    else if (event.key === '0' || event.key === 'Home') view.value = WHOLE;
    else return;
    event.preventDefault();
  };

  const shown = current.value >= 0 ? points[current.value] : undefined;
  const file = shown && (places.get(shown.id)?.image.name.replace(/^.*\//, '') ?? 'a removed picture');
  const tip = shown && toScreen(shown, view.value, box.value);
  return (
    <div class="map">
      <div class="map-box">
        <canvas
          ref={canvas} class={`map-canvas${view.value.zoom > 1 ? ' zoomed' : ''}`} tabIndex={0} role="application" aria-roledescription="map of pictures"
          aria-label={`Map of ${points.length} pictures. Arrow keys go to the next picture in a direction, Enter shows where the network looked, plus and minus zoom, zero shows all.`}
          onKeyDown={onKey} onBlur={() => { current.value = -1; }}
        />
        {shown && tip && (
          <div class={`map-tip${tip.y < 90 ? ' below' : ''}`} style={{ left: `${Math.min(Math.max(tip.x, 80), Math.max(80, box.value.width - 80))}px`, top: `${tip.y}px` }} aria-hidden="true">
            <b>{className(shown.mark)}</b><span>{file}</span>
          </div>
        )}
        <div class="map-buttons">
          <button type="button" class="button small icon-only" aria-label="Zoom in" onClick={() => zoom(1.6)}><PlusIcon size={18} /></button>
          <button type="button" class="button small icon-only" aria-label="Zoom out" disabled={view.value.zoom <= 1} onClick={() => zoom(1 / 1.6)}><MinusIcon size={18} /></button>
          <button type="button" class="button small" disabled={view.value.zoom <= 1} onClick={() => { view.value = WHOLE; }}>All</button>
        </div>
      </div>
      <p class="hidden-text" role="status">{shown ? `${file}, ${className(shown.mark)}` : ''}</p>
      <div class="map-legend" role="group" aria-label="Show one class alone">
        {order.map((id, mark) => (
          <button key={id} type="button" class="map-key" aria-pressed={only.value === mark} onClick={() => { only.value = only.value === mark ? null : mark; }}>
            <svg width="16" height="16" viewBox="-1.3 -1.3 2.6 2.6" aria-hidden="true"><path d={markPath(mark)} fill={colourOf(mark)} stroke="currentColor" stroke-width="0.14" /></svg>
            {className(mark)}
          </button>
        ))}
      </div>
      <p class="quiet results-aside">Places: {map.method}, with pictures moved apart that would hide each other. Distances are a rough guide, and the axes mean nothing. To zoom with the wheel, press the map first.</p>
    </div>
  );
}
