/** Of a long grid of squares in a box that scrolls, the part that is in view. */
import type { RefObject } from 'preact';
import { useLayoutEffect, useState } from 'preact/hooks';

const TILE = 52; // least width, in pixels; as in images.css
const GAP = 5;
const EDGE = 4; // padding of the box
const BEYOND = 4; // rows above and below what is seen

export interface GridWindow {
  readonly columns: number;
  /** The first item drawn, and the one after the last. */
  readonly from: number;
  readonly to: number;
  /** Room for the rows that are not drawn, in pixels. */
  readonly above: number;
  readonly below: number;
  /** Scrolls the box so that this item is seen. */
  reveal(item: number): void;
}

/** Of `count` items in the scrolling box `box`. */
export function useWindow(box: RefObject<HTMLElement | null>, count: number): GridWindow {
  const [{ width, height, top }, setView] = useState({ width: 0, height: 0, top: 0 });
  useLayoutEffect(() => {
    const element = box.current as HTMLElement;
    const look = (): void => setView({ width: element.clientWidth - 2 * EDGE, height: element.clientHeight, top: element.scrollTop });
    const observer = new ResizeObserver(look);
    observer.observe(element);
    element.addEventListener('scroll', look, { passive: true });
    look();
    return () => {
      observer.disconnect();
      element.removeEventListener('scroll', look);
    };
  }, []);

  const columns = Math.max(1, Math.floor((width + GAP) / (TILE + GAP)));
  const row = (width + GAP) / columns; // a square's height and the gap under it
  const rows = Math.ceil(count / columns);
  const first = Math.max(0, Math.floor(top / row) - BEYOND);
  const last = Math.min(rows, Math.ceil((top + height) / row) + BEYOND);
  return {
    columns, from: first * columns, to: Math.min(count, last * columns), above: first * row, below: Math.max(0, rows - last) * row,
    reveal(item) {
      const element = box.current as HTMLElement;
      const start = Math.floor(item / columns) * row;
      if (start < element.scrollTop) element.scrollTop = start;
      else if (start + row > element.scrollTop + element.clientHeight) element.scrollTop = start + row - element.clientHeight;
    },
  };
}
