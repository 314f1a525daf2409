/** Small pictures of the project's images: asked for when they come near the screen, a few at a time, and let go in the end. */
import { signal, type Signal } from '@preact/signals';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { ImageId } from '../shared/protocol';
import { studio } from './session';

type Loaded = { readonly url: string } | { readonly failed: string } | null;

interface Entry {
  readonly loaded: Signal<Loaded>;
  users: number;
}

const AT_ONCE = 6; // requests under way; the worker has other things to do
const KEPT = 600; // pictures that nobody shows any more but may soon

const entries = new Map<ImageId, Entry>(); // those used last are last
const waiting: ImageId[] = [];
let underWay = 0;

export interface ThumbnailProps {
  readonly id: ImageId;
  /** Empty where the name stands beside it. */
  readonly alt: string;
  readonly class?: string;
}

/** The picture of an image of the project, as soon as it is near the screen. Its box is the caller's to size. */
export function Thumbnail({ id, alt, class: name = '' }: ThumbnailProps) {
  const box = useRef<HTMLSpanElement>(null);
  const [near, setNear] = useState(false);
  useEffect(() => onceNear(box.current as HTMLElement, () => setNear(true)), []);
  const loaded = useThumbnail(near ? id : null);
  return (
    <span ref={box} class={`thumbnail ${name}`}>
      {loaded && 'url' in loaded && <img src={loaded.url} alt={alt} draggable={false} decoding="async" />}
      {loaded && 'failed' in loaded && <span class="thumbnail-failed" title={loaded.failed}>no preview</span>}
    </span>
  );
}

/** An object URL of the image's small picture, or why there is none; null while it is on its way, and for a null id. */
export function useThumbnail(id: ImageId | null): Loaded {
  const [loaded, setLoaded] = useState<Loaded>(null);
  useEffect(() => {
    if (id === null) return undefined;
    const taken = take(id);
    const stop = taken.loaded.subscribe(setLoaded);
    return () => {
      stop();
      setLoaded(null); // its picture may be let go
      taken.users--;
      sweep();
    };
  }, [id]);
  return id === null ? null : loaded;
}

function take(id: ImageId): Entry {
  const entry = entries.get(id) ?? { loaded: signal<Loaded>(null), users: 0 };
  entry.users++;
  if (!entries.delete(id)) waiting.push(id);
  entries.set(id, entry);
  fetchNext();
  return entry;
}

function fetchNext(): void {
  while (underWay < AT_ONCE && waiting.length > 0) {
    const id = waiting.pop() as ImageId; // the latest first: it is on the screen
    const entry = entries.get(id);
    if (!entry) continue;
    if (entry.users === 0) {
      entries.delete(id); // scrolled past before its turn came
      continue;
    }
    underWay++;
    studio.thumbnail(id).then((blob) => {
      entry.loaded.value = { url: URL.createObjectURL(blob) };
    }, (error: unknown) => {
      entry.loaded.value = { failed: error instanceof Error ? error.message : String(error) };
    }).finally(() => {
      underWay--;
      fetchNext();
    });
  }
}

/** Lets the pictures go that were not shown for longest. */
function sweep(): void {
  if (entries.size <= KEPT) return;
  for (const [id, { users, loaded }] of entries) {
    if (users > 0 || loaded.peek() === null) continue;
    const { url } = loaded.peek() as { url?: string };
    if (url !== undefined) URL.revokeObjectURL(url);
    entries.delete(id);
    if (entries.size <= KEPT) return;
  }
}

const watched = new Map<Element, () => void>();
const observer = new IntersectionObserver((changes) => {
  for (const { target, isIntersecting } of changes) {
    if (!isIntersecting) continue;
    watched.get(target)?.();
    forget(target);
  }
}, { rootMargin: '300px' });

function onceNear(element: HTMLElement, tell: () => void): () => void {
  watched.set(element, tell);
  observer.observe(element);
  return () => forget(element);
}

function forget(element: Element): void {
  watched.delete(element);
  observer.unobserve(element);
}
