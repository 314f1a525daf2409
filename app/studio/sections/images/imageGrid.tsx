/**
 * The pictures of a class: a list box whose options are pictures, for pointer, touch and keyboard. The box has the
 * focus and names its active option, so that only those in view need to be drawn.
 */
import { useComputed } from '@preact/signals';
import { useId, useRef, useState } from 'preact/hooks';
import type { ClassInfo, ImageInfo } from '../../../shared/protocol';
import { CheckIcon } from '../../../ui/icons';
import { Thumbnail } from '../../thumbnails';
import { clearSelection, DRAGGED, remove, select, selectedOf, selection } from './selection';
import { useWindow } from './useWindow';

export interface ImageGridProps {
  readonly of: ClassInfo;
  /** How many to show. */
  readonly most: number;
}

export function ImageGrid({ of, most }: ImageGridProps) {
  const shown = of.images.slice(0, most);
  const box = useRef<HTMLDivElement>(null);
  const view = useWindow(box, shown.length);
  const id = useId();
  const [wanted, setActive] = useState(0);
  const active = Math.min(wanted, shown.length - 1);
  const anchor = useRef(0); // where a range begins

  const range = (to: number): void => {
    const [from, until] = [Math.min(anchor.current, to), Math.max(anchor.current, to)];
    select(shown.slice(from, until + 1).map((image) => image.id), true);
  };
  const toggle = (at: number): void => {
    anchor.current = at;
    select([shown[at].id], !selection.peek().has(shown[at].id));
  };
  const go = (to: number, extend: boolean): void => {
    const at = Math.max(0, Math.min(shown.length - 1, to));
    setActive(at);
    view.reveal(at);
    if (extend) range(at);
    else anchor.current = at;
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const steps: Readonly<Record<string, number>> = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: view.columns, ArrowUp: -view.columns, Home: -active, End: shown.length };
    if (event.key in steps) go(active + steps[event.key], event.shiftKey);
    else if (event.key === ' ' || event.key === 'Enter') toggle(active);
    else if (event.key.toLowerCase() === 'a' && (event.ctrlKey || event.metaKey)) select(of.images.map((image) => image.id), true);
    else if (event.key === 'Delete' || event.key === 'Backspace') void remove(selectedOf(of).length > 0 ? selectedOf(of) : [shown[active].id]);
    else if (event.key === 'Escape' && selection.peek().size > 0) clearSelection();
    else return;
    event.preventDefault();
  };

  return (
    <div
      ref={box} class="image-grid" role="listbox" aria-multiselectable="true" aria-label={`Pictures of ${of.name}`} tabIndex={0}
      aria-activedescendant={active >= view.from && active < view.to ? `${id}-${active}` : undefined} onKeyDown={onKeyDown}
    >
      <div class="image-tiles" role="presentation" style={{ paddingTop: view.above, paddingBottom: view.below }}>
        {shown.slice(view.from, view.to).map((image, i) => {
          const at = view.from + i;
          return (
            <Tile
              key={image.id} id={`${id}-${at}`} image={image} at={at} of={shown.length} active={at === active}
              onPress={(extend) => {
                setActive(at);
                if (extend) range(at);
                else toggle(at);
              }}
              onDrag={(transfer) => {
                const mine = selectedOf(of);
                transfer.setData(DRAGGED, JSON.stringify(mine.includes(image.id) ? mine : [image.id]));
                transfer.effectAllowed = 'move';
              }}
            />
          );
        })}
      </div>
    </div>
  );
}

interface TileProps {
  readonly id: string;
  readonly image: ImageInfo;
  readonly at: number;
  readonly of: number;
  readonly active: boolean;
  readonly onPress: (extend: boolean) => void;
  readonly onDrag: (transfer: DataTransfer) => void;
}

const HELD_OUT = { validation: 'held out for validation', test: 'held out for testing' };

function Tile({ id, image, at, of, active, onPress, onDrag }: TileProps) {
  const { name, part } = image;
  const selected = useComputed(() => selection.value.has(image.id)).value;
  const words = part ? `${name}, ${HELD_OUT[part]}` : name;
  return (
    <div
      id={id} class={`image-tile${active ? ' active' : ''}`} role="option" aria-selected={selected} aria-label={words} aria-posinset={at + 1} aria-setsize={of} title={words} draggable
      onClick={(event) => onPress(event.shiftKey)} onDragStart={(event) => { if (event.dataTransfer) onDrag(event.dataTransfer); }}
    >
      <Thumbnail id={image.id} alt="" />
      {part && <span class="image-part" aria-hidden="true">{part === 'test' ? 'test' : 'val'}</span>}
      {selected && <span class="image-check" aria-hidden="true"><CheckIcon size={16} /></span>}
    </div>
  );
}
