/**
 * Brings what the focus or a link moves to into view where the browser's own scrolling falls short: in a column that
 * sticks to the window's end, things keep their place in the window until the column comes off.
 */
import { isHandedOn } from './focusHeir';

const TRIES = 60;

export function keepInView(): void {
  addEventListener('focusin', ({ target }) => { if (target instanceof Element && !isHandedOn()) bring(target); });
  addEventListener('click', ({ target }) => {
    const link = target instanceof Element ? target.closest<HTMLAnchorElement>('a[href^="#"]') : null;
    const aim = link && document.getElementById(link.hash.slice(1));
    if (aim) requestAnimationFrame(() => bring(aim, 'start')); // after the browser's own
  });
}

/** Scrolls again and again as long as that moves the window and the element is not seen. */
function bring(element: Element, block: ScrollLogicalPosition = 'nearest'): void {
  for (let tries = 0; tries < TRIES && !seen(element); tries++) {
    const before = scrollY;
    element.scrollIntoView({ block, behavior: 'instant' });
    if (scrollY === before) return;
  }
}

/** Whether any of it is in the window. */
function seen(element: Element): boolean {
  const { top, bottom } = element.getBoundingClientRect();
  return bottom > 0 && top < innerHeight;
}
