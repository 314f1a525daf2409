/** Parts that appear one after another, each drawn in a task of its own, so that many at once do not hold up the page. */
import { useEffect, useState } from 'preact/hooks';

/** How many of `parts` to draw now: one at first, and one more after each drawing. */
export function useStages(parts: number): number {
  const [shown, show] = useState(1);
  useEffect(() => {
    if (shown >= parts) return;
    const timer = setTimeout(() => show(shown + 1)); // not a frame: a page in the background has none
    return () => clearTimeout(timer);
  }, [shown, parts]);
  return shown;
}
