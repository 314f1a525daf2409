/** Pictures of a class from the camera: one at a time, or about five a second while a button is held. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { ClassInfo } from '../../../shared/protocol';
import { frameOf, useCamera } from '../../../ui/camera';
import { Dialog } from '../../../ui/dialog';
import { count } from '../../../ui/format';
import { Field } from '../../../ui/field';
import { CameraIcon } from '../../../ui/icons';
import { Note } from '../../../ui/note';
import { attempt, notify } from '../../../ui/notices';
import { state, studio } from '../../session';
import { Thumbnail } from '../../thumbnails';

const EVERY = 200; // milliseconds between the frames of a burst
const SHOWN = 8;

export function CameraDialog({ of, onClose }: { readonly of: ClassInfo; readonly onClose: () => void }) {
  const { video, state: camera, devices, device, mirrored, choose, again } = useCamera();
  const [held, setHeld] = useState(false);
  const [taken, setTaken] = useState(0);
  const queue = useRef(Promise.resolve());
  const live = camera.kind === 'live';
  const words = taken === 0 ? '' : `${count(taken, 'picture')} taken`;
  const images = state.classes.value.find(({ id }) => id === of.id)?.images ?? [];

  const take = async (): Promise<void> => {
    const blob = video.current ? await frameOf(video.current) : null;
    if (!blob) return;
    const path = `camera ${new Date().toISOString().replace('T', ' ').replace(/[:.]/g, '-').slice(0, 23)}.jpg`;
    // One after the other, so that they keep their order.
    queue.current = queue.current.then(async () => {
      const report = await attempt(studio.addFiles([{ path, blob }], of.id));
      if (report && report.added > 0) setTaken((n) => n + 1);
      for (const { reason } of report?.skipped ?? []) notify({ kind: 'error', text: `A picture from the camera was left out: ${reason}` });
    });
  };

  useEffect(() => {
    if (!held || !live) return undefined;
    void take();
    const timer = setInterval(() => void take(), EVERY);
    return () => clearInterval(timer);
  }, [held, live]);

  const hold = (event: KeyboardEvent): void => {
    if (event.key !== ' ' && event.key !== 'Enter') return;
    event.preventDefault();
    if (!event.repeat) setHeld(true);
  };
  const release = (): void => setHeld(false);

  return (
    <Dialog
      title={`Pictures of ${of.name}`} onClose={onClose}
      actions={(
        <>
          <span class="camera-count quiet number">{words}</span>
          <span class="hidden-text" role="status">{held ? '' : words}</span>
          <button type="button" class="button" onClick={onClose}>Done</button>
        </>
      )}
    >
      <div class={`camera-view${held && live ? ' held' : ''}`} hidden={camera.kind === 'failed'}>
        <video ref={video} class={mirrored ? 'mirrored' : ''} muted playsInline aria-label="What the camera sees" />
        {camera.kind === 'asking' && <p class="camera-wait" role="status">Waiting for the camera. The browser may ask whether to allow it.</p>}
      </div>
      {camera.kind === 'failed' && (
        <Note kind="wrong" live>
          <p>{camera.message}</p>
          <div><button type="button" class="button small" onClick={again}>Try again</button></div>
        </Note>
      )}
      {camera.kind !== 'failed' && (
        <div class="row">
          <button
            type="button" class="button primary camera-hold" disabled={!live} aria-describedby="camera-hint"
            onPointerDown={(event) => {
              event.currentTarget.setPointerCapture(event.pointerId);
              setHeld(true);
            }}
            onPointerUp={release} onPointerCancel={release} onLostPointerCapture={release} onKeyDown={hold} onKeyUp={release} onBlur={release}
            onContextMenu={(event) => event.preventDefault()}
          >
            <CameraIcon />{held ? 'Taking pictures…' : 'Hold to take many'}
          </button>
          <button type="button" class="button" disabled={!live} onClick={() => void take()}>Take one</button>
        </div>
      )}
      <p class="quiet" id="camera-hint">Five a second while the button, Space or Enter is held. Turn the thing, move it, change the background: different pictures teach more than many alike.</p>
      {devices.length > 1 && (
        <Field label="Camera">
          {(props) => (
            <select class="input" {...props} value={device ?? ''} onChange={(event) => choose(event.currentTarget.value)}>
              {devices.map(({ id, label }) => <option key={id} value={id}>{label}</option>)}
            </select>
          )}
        </Field>
      )}
      {taken > 0 && <div class="camera-latest" aria-hidden="true">{images.slice(-Math.min(taken, SHOWN)).map(({ id }) => <Thumbnail key={id} id={id} alt="" />)}</div>}
    </Dialog>
  );
}
