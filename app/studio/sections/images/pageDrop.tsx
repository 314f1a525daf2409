/** Files dropped or pasted anywhere on the page, and the question which class loose pictures are. */
import { signal } from '@preact/signals';
import { useEffect, useState } from 'preact/hooks';
import { Dialog } from '../../../ui/dialog';
import { count } from '../../../ui/format';
import { Field } from '../../../ui/field';
import { carriesFiles, filesOfTransfer } from '../../../ui/incoming';
import { attempt } from '../../../ui/notices';
import { state, studio } from '../../session';
import { addFiles, takeFiles, undecided } from './adding';

const hovering = signal(false);

export function PageDrop() {
  useEffect(() => {
    const stop = new AbortController();
    const { signal: ended } = stop;
    let depth = 0;
    const move = (by: number) => (event: DragEvent): void => {
      if (!carriesFiles(event.dataTransfer)) return;
      depth = Math.max(0, depth + by);
      hovering.value = depth > 0;
    };
    addEventListener('dragenter', move(1), { signal: ended });
    addEventListener('dragleave', move(-1), { signal: ended });
    addEventListener('dragover', (event) => { if (carriesFiles(event.dataTransfer)) event.preventDefault(); }, { signal: ended });
    addEventListener('drop', (event) => {
      depth = 0;
      hovering.value = false;
      if (event.defaultPrevented || !carriesFiles(event.dataTransfer)) return; // a drop zone below has it
      event.preventDefault();
      void filesOfTransfer(event.dataTransfer).then((files) => (files.length > 0 ? takeFiles(files) : undefined));
    }, { signal: ended });
    addEventListener('paste', (event) => {
      if (event.defaultPrevented || !carriesFiles(event.clipboardData)) return;
      event.preventDefault();
      const card = event.target instanceof Element ? event.target.closest<HTMLElement>('[data-class-id]') : null;
      void filesOfTransfer(event.clipboardData).then(async (files) => void await (card ? addFiles(named(files), Number(card.dataset.classId)) : takeFiles(named(files))));
    }, { signal: ended });
    return () => stop.abort();
  }, []);
  return (
    <>
      {hovering.value && <div class="page-drop" aria-hidden="true"><p>Drop it anywhere: folders become classes, weights the base. Drop it on a class to add it there.</p></div>}
      {undecided.value && <WhichClass />}
    </>
  );
}

/** Pasted pictures are all called `image.png`. */
function named(files: Awaited<ReturnType<typeof filesOfTransfer>>): typeof files {
  const now = new Date().toISOString().slice(0, 19).replace('T', ' ').replaceAll(':', '.');
  return files.map(({ path, blob }, i) => ({ path: /^image\.\w+$/.test(path) ? path.replace('image', `pasted ${now}${i > 0 ? ` (${i + 1})` : ''}`) : path, blob }));
}

function WhichClass() {
  const files = undecided.value ?? [];
  const [name, setName] = useState('');
  const close = (): void => { undecided.value = null; };
  const classes = state.classes.value;
  const addNew = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (name.trim() === '') return;
    close();
    const id = await attempt(studio.addClass(name.trim()));
    if (id !== undefined) await addFiles(files, id);
  };
  return (
    <Dialog title={files.length === 1 ? 'What is on this picture?' : `What is on these ${files.length.toLocaleString()} files?`} onClose={close}>
      <p class="quiet">{count(files.length, 'file')} came without a folder that names a class.</p>
      {classes.length > 0 && (
        <div class="row" role="group" aria-label="Classes">
          {classes.map((one, i) => (
            <button key={one.id} type="button" class="button" autofocus={i === 0} onClick={() => { close(); void addFiles(files, one.id); }}>{one.name}</button>
          ))}
        </div>
      )}
      <form class="images-new" onSubmit={(event) => void addNew(event)}>
        <Field label={classes.length > 0 ? 'Or a new class' : 'Name of the class'}>
          {(props) => <input class="input" {...props} autofocus={classes.length === 0} value={name} maxLength={120} onInput={(event) => setName(event.currentTarget.value)} />}
        </Field>
        <button type="submit" class="button primary" disabled={name.trim() === ''}>Add</button>
      </form>
    </Dialog>
  );
}
