/** Trying the network: the camera, a picture that is dropped, chosen or pasted, or one of the sample's. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { DropZone } from '../../ui/drop';
import { CameraIcon, StopIcon } from '../../ui/icons';
import { carriesFiles } from '../../ui/incoming';
import { attempt, notify } from '../../ui/notices';
import { Section } from '../../ui/section';
import { state } from '../session';
import { LiveCamera } from './try/live';
import { Samples } from './try/samples';
import { Still, type TriedPicture } from './try/still';
import './try.css';

export function TrySection() {
  const usable = state.usable.value;
  const device = state.device.value;
  return (
    <Section id="try" title="Try" lead={usable ? headWords(state.run.value) : undefined}>
      {usable && device.kind !== 'missing' ? <Trying /> : <p class="quiet">As soon as training has begun, the network can be tried here: with the camera, or with a picture it has never seen.</p>}
    </Section>
  );
}

function headWords(run: typeof state.run.value): string {
  if (run.kind === 'running') return run.history.length > 0 ? `Training goes on: this uses the network of this moment, after epoch ${run.history.length} of ${run.epochs}.` : 'Training goes on: this uses the network of this moment, which has hardly learned yet.';
  return 'Show it something it has never seen. Pictures stay on this machine.';
}

function Trying() {
  const camera = useSignal(false);
  const picture = useSignal<TriedPicture | null>(null);

  useEffect(() => () => { if (picture.value) URL.revokeObjectURL(picture.value.url); }, []);

  const show = (blob: Blob, name: string, className?: string): void => {
    if (picture.value) URL.revokeObjectURL(picture.value.url);
    camera.value = false;
    picture.value = { blob, name, url: URL.createObjectURL(blob), ...(className !== undefined && { className }) };
  };
  const showFirst = (files: readonly { readonly path: string; readonly blob: Blob }[]): void => {
    const found = files.find(({ blob, path }) => blob.type.startsWith('image/') || /\.(jpe?g|png|webp|gif|bmp|avif)$/i.test(path));
    if (found) show(found.blob, found.path.replace(/^.*\//, ''));
    else notify({ kind: 'error', text: 'That is no picture. Drop a JPEG, PNG, WebP, GIF, BMP or AVIF file here.' });
  };
  const paste = (event: ClipboardEvent): void => {
    if (!carriesFiles(event.clipboardData)) return;
    event.preventDefault(); // else the page takes it for a training picture
    showFirst([...event.clipboardData.files].map((blob) => ({ path: blob.name, blob })));
  };
  const fromClipboard = (): Promise<void | undefined> => attempt(async () => {
    for (const item of await navigator.clipboard.read()) {
      const type = item.types.find((one) => one.startsWith('image/'));
      if (type) return show(await item.getType(type), 'pasted picture');
    }
    notify({ kind: 'info', text: 'There is no picture in the clipboard.' });
  });

  return (
    <div class="try" onPaste={paste}>
      {camera.value && <LiveCamera />}
      {!camera.value && picture.value && <Still picture={picture.value} />}
      <div class="row">
        {camera.value
          ? <button type="button" class="button" onClick={() => { camera.value = false; }}><StopIcon />Stop the camera</button>
          : <button type="button" class="button primary" onClick={() => { camera.value = true; }}><CameraIcon />Use the camera</button>}
      </div>
      <DropZone compact single accept="image/*" button="Choose a picture" title="Or drop a picture here" onFiles={showFirst}>
        <button type="button" class="button" onClick={() => void fromClipboard()}>Paste</button>
      </DropZone>
      <Samples onPick={({ blob, name, className }) => show(blob, name, className)} />
    </div>
  );
}
