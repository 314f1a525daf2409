/**
 * The focus is never lost: where the control that has it is taken away, what stands in its place gets it; where it is
 * switched off, it has the focus again when it is switched on, unless the user has gone elsewhere meanwhile.
 *
 * In its section an element with `data-heir` comes first; then what follows in the same place, preferably a control of
 * the same look (deleting one of a list goes on with the next); then what comes before; then the same one level up.
 */

/** Where an element was. */
interface Place {
  readonly parent: Element;
  readonly previous: Node | null;
  readonly next: Node | null;
}

const CONTROLS = 'a[href], button, input, select, textarea, summary, [tabindex="0"]';
const TITLES = 'h2[tabindex]';
/** What holds things that belong together. Beyond it, the focus goes to the title of the next one. */
const WHOLES = 'section, dialog';
/** Messages come and go: when one is gone, the focus goes back to where it was before. */
const PASSING = '.notices';

/** Has the focus, or had it when it went away. */
let last: HTMLElement | null = null;
/** The same, outside of messages. */
let outside: HTMLElement | null = null;
/** What opened dialogs. */
const openers = new Set<HTMLElement>();
/** Where those of them were that are gone. */
const places = new Map<HTMLElement, Place>();
/** Whether the page is worked by keys: then the focus is where its user is, and is kept in view. */
let byKeys = false;
let handing = false;

/** Begins to watch the page. */
export function keepFocus(): void {
  addEventListener('focusin', ({ target }) => { if (target instanceof HTMLElement) remember(target); });
  addEventListener('focusout', ({ target, relatedTarget }) => {
    // A press on nothing takes the focus away on purpose; what goes away or is switched off does not.
    if (relatedTarget === null) queueMicrotask(() => { if (last !== null && target === last && usable(last) && nothingFocused() && document.hasFocus()) last = null; });
  });
  addEventListener('pointerdown', () => {
    byKeys = false;
    if (nothingFocused()) last = null;
  }, { capture: true });
  addEventListener('wheel', () => { byKeys = false; }, { passive: true });
  addEventListener('keydown', () => { byKeys = true; }, { capture: true });
  new MutationObserver((records) => {
    for (const record of records) for (const node of record.removedNodes) noteGone(node, record);
    if (last !== null && nothingFocused()) recover(last);
  }).observe(document.body, { childList: true, subtree: true, attributes: true, attributeFilter: ['disabled', 'hidden'] });
}

/** Whether the focus is being handed on, and not moved by its user. */
export function isHandedOn(): boolean {
  return handing;
}

/** Remembers what has the focus now, when a dialog opens. The result gives it the focus again, or its heir where it is gone. */
export function focusToReturn(): () => void {
  const { activeElement } = document;
  if (!(activeElement instanceof HTMLElement) || activeElement === document.body) return () => undefined;
  openers.add(activeElement);
  return () => {
    openers.delete(activeElement);
    last = activeElement;
    recover(activeElement);
  };
}

function remember(element: HTMLElement): void {
  last = element;
  if (!element.closest(PASSING)) outside = element;
  for (const one of places.keys()) if (one !== outside && !openers.has(one)) places.delete(one);
}

function noteGone(node: Node, { target, previousSibling: previous, nextSibling: next }: MutationRecord): void {
  if (!(target instanceof Element)) return;
  for (const element of [last, outside, ...openers]) {
    if (element === null || element.isConnected) continue;
    if (node.contains(places.get(element)?.parent ?? element)) places.set(element, { parent: target, previous, next }); // what it was in may go, too
  }
}

function recover(element: HTMLElement): void {
  if (element.isConnected && !usable(element)) return; // until it is switched on again, or goes
  const message = (places.get(element)?.parent ?? element).closest(PASSING) !== null;
  const wanted = !element.isConnected && message && outside !== null ? outside : element;
  const heir = usable(wanted) ? wanted : heirOf(wanted);
  if (heir === null) return;
  handing = true;
  heir.focus({ preventScroll: true });
  handing = false;
  // Who has scrolled elsewhere is not moved about.
  if (byKeys) heir.scrollIntoView({ block: 'nearest', behavior: 'instant' });
}

function heirOf(element: HTMLElement): HTMLElement | null {
  for (let place = places.get(element) ?? null; place; place = above(place)) {
    const { parent } = place;
    const whole = parent.closest(WHOLES);
    const marked = whole && [...parent.querySelectorAll<HTMLElement>('[data-heir]')].find(usable);
    if (marked) return marked;
    const found = among(following(place), whole ? CONTROLS : TITLES, element) ?? among(preceding(place), whole ? CONTROLS : TITLES, element, -1);
    if (found) return found;
  }
  return null;
}

/** The control of these that is like another, else the first, or the last; of a group of radio buttons the one that is chosen. */
function among(elements: Element[], kind: string, like: HTMLElement, end: 0 | -1 = 0): HTMLElement | null {
  for (const element of elements) {
    const inside = [element, ...element.querySelectorAll(kind)].filter((one): one is HTMLElement => one instanceof HTMLElement && one.matches(kind) && usable(one));
    const found = inside.find((one) => one.tagName === like.tagName && one.className === like.className) ?? inside.at(end);
    if (!found) continue;
    return (found instanceof HTMLInputElement && found.type === 'radio' && inside.find((one) => one instanceof HTMLInputElement && one.name === found.name && one.checked)) || found;
  }
  return null;
}

function following({ parent, previous, next }: Place): Element[] {
  const start = previous?.parentNode === parent ? previous.nextSibling : next?.parentNode === parent ? next : parent.firstChild;
  return siblings(start, (node) => node.nextSibling);
}

function preceding({ parent, previous, next }: Place): Element[] {
  const start = previous?.parentNode === parent ? previous : next?.parentNode === parent ? next.previousSibling : null;
  return siblings(start, (node) => node.previousSibling);
}

function siblings(start: Node | null, step: (node: Node) => Node | null): Element[] {
  const found: Element[] = [];
  for (let node = start; node; node = step(node)) if (node instanceof Element) found.push(node);
  return found;
}

function above({ parent }: Place): Place | null {
  const up = parent.parentElement;
  return up && parent !== document.body ? { parent: up, previous: parent.previousSibling, next: parent.nextSibling } : null;
}

function usable(element: HTMLElement): boolean {
  return element.isConnected && !element.matches(':disabled') && element.closest('[inert]') === null && element.getClientRects().length > 0;
}

function nothingFocused(): boolean {
  const { activeElement } = document;
  return activeElement === null || activeElement === document.body || (activeElement instanceof HTMLElement && !usable(activeElement));
}
