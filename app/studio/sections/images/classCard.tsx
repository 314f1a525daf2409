/** A class: its name, its pictures, and every way to give it more. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { ClassInfo } from '../../../shared/protocol';
import { confirmed } from '../../../ui/dialog';
import { FileButton, useDrop } from '../../../ui/drop';
import { count } from '../../../ui/format';
import { CameraIcon, PlusIcon, TrashIcon } from '../../../ui/icons';
import { carriesFiles, filesOfTransfer } from '../../../ui/incoming';
import { InlineName } from '../../../ui/inlineName';
import { attempt } from '../../../ui/notices';
import { state, studio } from '../../session';
import { addFiles, cameraFor, PICTURES } from './adding';
import { CameraDialog } from './cameraDialog';
import { ImageGrid } from './imageGrid';
import { clearSelection, DRAGGED, move, remove, selectedOf } from './selection';

const FIRST = { few: 16, many: 8 }; // pictures shown until all are asked for
const MANY_CLASSES = 6;
const FEW = 5;

export function ClassCard({ info }: { readonly info: ClassInfo }) {
  const { id, name, images } = info;
  const [all, setAll] = useState(false);
  const [camera, setCamera] = useState(false);
  const card = useRef<HTMLElement>(null);
  const asked = cameraFor.value === id;
  useEffect(() => {
    if (!asked) return;
    cameraFor.value = null;
    setCamera(true);
  }, [asked]);
  // Shown whole, it takes a row of its own, perhaps further down.
  useEffect(() => { if (all) card.current?.scrollIntoView({ block: 'nearest' }); }, [all]);
  const first = state.classes.value.length > MANY_CLASSES ? FIRST.many : FIRST.few;
  const { over, handlers } = useDrop({
    accepts: (transfer) => transfer.types.includes(DRAGGED) || carriesFiles(transfer),
    onDrop: (transfer) => {
      const dragged = transfer.getData(DRAGGED);
      if (dragged !== '') void move((JSON.parse(dragged) as string[]).filter((one) => !images.some((image) => image.id === one)), id);
      else void filesOfTransfer(transfer).then((files) => addFiles(files, id));
    },
  });
  return (
    <article ref={card} class={`class-card${over ? ' drop-over' : ''}${all ? ' all' : ''}`} data-class-id={id} aria-label={`Class ${name}`} {...handlers}>
      <header class="class-head">
        <h3><InlineName name={name} label="Name of the class" onRename={(next) => attempt(studio.renameClass(id, next))} /></h3>
        <button type="button" class="button small plain icon-only" aria-label={`Delete the class ${name}`} title="Delete the class" onClick={() => void removeClass(info)}><TrashIcon size={18} /></button>
      </header>
      <div class="class-count">
        <p class="quiet number">{count(images.length, 'picture')}{images.length > 0 && images.length < FEW && '; ten or more make it reliable'}</p>
        {images.length > first && (
          <button type="button" class="button small plain" aria-expanded={all} aria-label={all ? `Show fewer pictures of ${name}` : `Show all ${images.length} pictures of ${name}`} onClick={() => setAll(!all)}>{all ? 'Show fewer' : 'Show all'}</button>
        )}
      </div>
      <Selected of={info} />
      {images.length > 0
        ? <ImageGrid of={info} most={all ? images.length : first} />
        : <p class="class-empty quiet">Drop or paste pictures here, choose files, or take some with the camera.</p>}
      <div class="row class-actions">
        <FileButton class="button small" accept={PICTURES} label={`Add pictures to ${name}`} onFiles={(files) => void addFiles(files, id)}><PlusIcon size={16} />Add</FileButton>
        <button type="button" class="button small" aria-label={`Take pictures of ${name} with the camera`} onClick={() => setCamera(true)}><CameraIcon size={16} />Camera</button>
      </div>
      {camera && <CameraDialog of={info} onClose={() => setCamera(false)} />}
    </article>
  );
}

/** What can be done with the selected pictures of the class. */
function Selected({ of }: { readonly of: ClassInfo }) {
  const ids = selectedOf(of);
  if (ids.length === 0) return null;
  const others = state.classes.value.filter(({ id }) => id !== of.id);
  return (
    <div class="class-selected" role="group" aria-label={`Selected pictures of ${of.name}`}>
      <span class="number" role="status">{ids.length.toLocaleString()} selected</span>
      {others.length > 0 && (
        <select
          class="input" aria-label="Move the selected pictures to" value=""
          onChange={(event) => {
            const to = event.currentTarget.value;
            event.currentTarget.value = '';
            if (to !== '') void move(ids, Number(to));
          }}
        >
          <option value="">Move to…</option>
          {others.map(({ id, name }) => <option key={id} value={id}>{name}</option>)}
        </select>
      )}
      <button type="button" class="button small" onClick={() => void remove(ids)}><TrashIcon size={16} />Remove</button>
      <button type="button" class="button small plain" onClick={clearSelection}>Clear</button>
    </div>
  );
}

async function removeClass({ id, name, images }: ClassInfo): Promise<void> {
  const sure = images.length === 0 || await confirmed({
    title: `Delete the class “${name}”?`, action: 'Delete the class', danger: true,
    text: `Its ${count(images.length, 'picture')} ${images.length === 1 ? 'goes' : 'go'} with it. Files on your disk stay as they are. To keep the pictures, move them to another class first.`,
  });
  if (sure) await attempt(studio.removeClass(id));
}
