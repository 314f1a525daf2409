/** Pointer and wheel on the map: one pointer pans or picks, two pinch, the wheel zooms once the map has the focus. */
import { panBy, zoomAt, type Box, type Spot, type View } from './mapView';

export interface MapTarget {
  view(): View;
  box(): Box;
  onView(view: View): void;
  /** Null when the pointer has left. */
  onHover(at: Spot | null): void;
  onPick(at: Spot): void;
}

/** Pixels that a press may wander and still be a press. */
const STILL = 6;

export class MapGestures {
  readonly #element: HTMLElement;
  readonly #target: MapTarget;
  readonly #over = new AbortController();
  readonly #pointers = new Map<number, Spot>();
  #travelled = 0;

  constructor(element: HTMLElement, target: MapTarget) {
    this.#element = element;
    this.#target = target;
    const { signal } = this.#over;
    element.addEventListener('pointerdown', this.#down, { signal });
    element.addEventListener('pointermove', this.#move, { signal });
    element.addEventListener('pointerup', this.#up, { signal });
    element.addEventListener('pointercancel', this.#cancel, { signal });
    element.addEventListener('pointerleave', () => { if (this.#pointers.size === 0) target.onHover(null); }, { signal });
    element.addEventListener('wheel', this.#wheel, { signal, passive: false });
  }

  dispose(): void {
    this.#over.abort();
  }

  #at(event: MouseEvent): Spot {
    const { left, top } = this.#element.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  }

  readonly #down = (event: PointerEvent): void => {
    if (event.pointerType === 'mouse' && event.button !== 0) return;
    if (this.#pointers.size === 0) this.#travelled = 0;
    this.#element.setPointerCapture(event.pointerId);
    this.#pointers.set(event.pointerId, this.#at(event));
  };

  readonly #move = (event: PointerEvent): void => {
    const { view, box, onView, onHover } = this.#target;
    const at = this.#at(event);
    const before = this.#pointers.get(event.pointerId);
    if (!before) {
      if (event.pointerType !== 'touch') onHover(at);
      return;
    }
    const [dx, dy] = [at.x - before.x, at.y - before.y];
    this.#travelled += Math.hypot(dx, dy);
    this.#pointers.set(event.pointerId, at);
    const other = [...this.#pointers].find(([id]) => id !== event.pointerId)?.[1];
    if (!other) {
      if (this.#travelled > STILL) onView(panBy(view(), dx, dy, box()));
      return;
    }
    this.#travelled = Infinity; // a pinch is no press
    const [was, is] = [Math.hypot(before.x - other.x, before.y - other.y), Math.hypot(at.x - other.x, at.y - other.y)];
    const middle = { x: (at.x + other.x) / 2, y: (at.y + other.y) / 2 };
    if (was > 0) onView(panBy(zoomAt(view(), is / was, middle, box()), dx / 2, dy / 2, box()));
  };

  readonly #up = (event: PointerEvent): void => {
    if (!this.#pointers.delete(event.pointerId)) return;
    if (this.#pointers.size === 0 && this.#travelled <= STILL) this.#target.onPick(this.#at(event));
  };

  readonly #cancel = (event: PointerEvent): void => {
    this.#pointers.delete(event.pointerId);
  };

  readonly #wheel = (event: WheelEvent): void => {
    // Else a page could not be scrolled past the map.
    if (!event.ctrlKey && !event.metaKey && document.activeElement !== this.#element) return;
    event.preventDefault();
    const { view, box, onView } = this.#target;
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    onView(zoomAt(view(), Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.002)), this.#at(event), box()));
  };
}
