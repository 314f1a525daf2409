/** Which pictures are selected, and what is done with them. */
import { effect, signal } from '@preact/signals';
import type { ClassInfo, ImageId } from '../../../shared/protocol';
import { confirmed } from '../../../ui/dialog';
import { count } from '../../../ui/format';
import { attempt, notify } from '../../../ui/notices';
import { state, studio } from '../../session';

export const selection = signal<ReadonlySet<ImageId>>(new Set());

/** What a drag of pictures carries. */
export const DRAGGED = 'application/x-graft-pictures';
const ASK_FROM = 4;

export function select(ids: Iterable<ImageId>, on: boolean): void {
  const next = new Set(selection.value);
  for (const id of ids) {
    if (on) next.add(id);
    else next.delete(id);
  }
  selection.value = next;
}

export function clearSelection(): void {
  if (selection.value.size > 0) selection.value = new Set();
}

/** The selected pictures of one class, in its order. */
export function selectedOf({ images }: ClassInfo): ImageId[] {
  return images.filter(({ id }) => selection.value.has(id)).map(({ id }) => id);
}

export async function move(ids: readonly ImageId[], to: number): Promise<void> {
  const target = state.classes.value.find(({ id }) => id === to);
  const done = await attempt(async () => {
    await studio.moveImages([...ids], to);
    return true;
  });
  if (!done) return;
  select(ids, false);
  notify({ kind: 'info', text: `Moved ${count(ids.length, 'picture')} to ${target?.name ?? 'another class'}.` });
}

export async function remove(ids: readonly ImageId[]): Promise<void> {
  if (ids.length === 0) return;
  const sure = ids.length < ASK_FROM || await confirmed({
    title: `Remove ${count(ids.length, 'picture')}?`, action: 'Remove', danger: true, text: 'They are removed from this project only; files on your disk stay as they are.',
  });
  if (!sure) return;
  await attempt(studio.removeImages([...ids]));
  select(ids, false);
}

// Pictures that are gone are not selected.
effect(() => {
  const there = new Set(state.classes.value.flatMap(({ images }) => images.map(({ id }) => id)));
  const kept = [...selection.peek()].filter((id) => there.has(id));
  if (kept.length < selection.peek().size) selection.value = new Set(kept);
});
