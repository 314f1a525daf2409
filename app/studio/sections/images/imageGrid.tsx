/** The pictures of a class: a list box whose options are pictures, for pointer, touch and keyboard. */
import { useComputed } from '@preact/signals';
import { useRef, useState } from 'preact/hooks';
import type { ClassInfo, ImageInfo } from '../../../shared/protocol';
import { CheckIcon } from '../../../ui/icons';
import { Thumbnail } from '../../thumbnails';
import { clearSelection, DRAGGED, remove, select, selectedOf, selection } from './selection';

export interface ImageGridProps {
  readonly of: ClassInfo;
  /** How many to show. */
  readonly most: number;
}

export function ImageGrid({ of, most }: ImageGridProps) {
  const shown = of.images.slice(0, most);
  const box = useRef<HTMLDivElement>(null);
  const [wanted, setActive] = useState(0); // the option that Tab reaches
  const active = Math.min(wanted, shown.length - 1);
  const anchor = useRef(0); // where a range begins

  const range = (to: number): void => {
    const [from, until] = [Math.min(anchor.current, to), Math.max(anchor.current, to)];
    select(shown.slice(from, until + 1).map(({ id }) => id), true);
  };
  const toggle = (at: number): void => {
    const { id } = shown[at];
    anchor.current = at;
    select([id], !selection.peek().has(id));
  };
  const go = (to: number, extend: boolean): void => {
    const at = Math.max(0, Math.min(shown.length - 1, to));
    setActive(at);
    (box.current?.children[at] as HTMLElement).focus();
    if (extend) range(at);
    else anchor.current = at;
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const across = columnsOf(box.current as HTMLElement);
    const steps: Readonly<Record<string, number>> = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: across, ArrowUp: -across, Home: -active, End: shown.length };
    if (event.key in steps) go(active + steps[event.key], event.shiftKey);
    else if (event.key === ' ' || event.key === 'Enter') toggle(active);
    else if (event.key.toLowerCase() === 'a' && (event.ctrlKey || event.metaKey)) select(of.images.map(({ id }) => id), true);
    else if (event.key === 'Delete' || event.key === 'Backspace') void remove(selectedOf(of).length > 0 ? selectedOf(of) : [shown[active].id]);
    else if (event.key === 'Escape' && selection.peek().size > 0) clearSelection();
    else return;
    event.preventDefault();
  };

  return (
    <div ref={box} class="image-grid" role="listbox" aria-multiselectable="true" aria-label={`Pictures of ${of.name}`} onKeyDown={onKeyDown}>
      {shown.map((image, i) => (
        <Tile
          key={image.id} image={image} tabIndex={i === active ? 0 : -1}
          onPress={(extend) => {
            setActive(i);
            if (extend) range(i);
            else toggle(i);
          }}
          onDrag={(transfer) => {
            const mine = selectedOf(of);
            transfer.setData(DRAGGED, JSON.stringify(mine.includes(image.id) ? mine : [image.id]));
            transfer.effectAllowed = 'move';
          }}
        />
      ))}
    </div>
  );
}

interface TileProps {
  readonly image: ImageInfo;
  readonly tabIndex: number;
  readonly onPress: (extend: boolean) => void;
  readonly onDrag: (transfer: DataTransfer) => void;
}

const HELD_OUT = { validation: 'held out for validation', test: 'held out for testing' };

function Tile({ image: { id, name, part }, tabIndex, onPress, onDrag }: TileProps) {
  const selected = useComputed(() => selection.value.has(id)).value;
  const words = part ? `${name}, ${HELD_OUT[part]}` : name;
  return (
    <div
      class="image-tile" role="option" aria-selected={selected} aria-label={words} title={words} tabIndex={tabIndex} draggable
      onClick={(event) => onPress(event.shiftKey)} onDragStart={(event) => { if (event.dataTransfer) onDrag(event.dataTransfer); }}
    >
      <Thumbnail id={id} alt="" />
      {part && <span class="image-part" aria-hidden="true">{part === 'test' ? 'test' : 'val'}</span>}
      {selected && <span class="image-check" aria-hidden="true"><CheckIcon size={16} /></span>}
    </div>
  );
}

/** How many tiles stand in the first row. */
function columnsOf({ children }: HTMLElement): number {
  const tops = [...children].map((child) => (child as HTMLElement).offsetTop);
  const next = tops.findIndex((top) => top !== tops[0]);
  return next === -1 ? tops.length : next;
}
