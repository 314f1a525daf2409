/** The camera's picture classified as fast as the device answers, one frame at a time. */
import { useSignal } from '@preact/signals';
import { transfer } from 'comlink';
import { useEffect } from 'preact/hooks';
import { useCamera } from '../../../ui/camera';
import { Field } from '../../../ui/field';
import { asSentence } from '../../../ui/notices';
import { Note } from '../../../ui/note';
import { studio } from '../../session';
import { Answers } from './answers';
import { smoothed, type Share } from './steady';

/** Part of the way to the newest answer. */
const PART = 0.45;
/** Milliseconds to wait after a failure, so that a device that is being replaced is not asked in vain. */
const AFTER_FAILURE = 800;

interface Pace {
  readonly milliseconds: number;
  readonly perSecond: number;
}

/** Live while it is shown: the camera is let go when it is taken out. */
export function LiveCamera() {
  const { video, state: camera, devices, device, mirrored, choose, again } = useCamera();
  const shares = useSignal<readonly Share[] | null>(null);
  const pace = useSignal<Pace | null>(null);
  const problem = useSignal<string | null>(null);
  const live = camera.kind === 'live';

  useEffect(() => {
    const source = video.current;
    if (!live || !source) return undefined;
    let over = false;
    let seen = true;
    let last = performance.now();
    const watch = new IntersectionObserver(([entry]) => { seen = entry.isIntersecting; });
    watch.observe(source);
    const frame = (): Promise<void> => new Promise((resolve) => {
      if ('requestVideoFrameCallback' in source) source.requestVideoFrameCallback(() => resolve());
      else requestAnimationFrame(() => resolve());
    });
    const loop = async (): Promise<void> => {
      while (!over) {
        await frame();
        if (over || !seen || source.videoWidth === 0) continue;
        try {
          const bitmap = await createImageBitmap(source);
          const { top, milliseconds } = await studio.classify(transfer(bitmap, [bitmap]));
          if (over) return;
          const now = performance.now();
          const before = pace.value;
          const mix = (old: number | undefined, value: number): number => (old === undefined ? value : old + 0.2 * (value - old));
          pace.value = { milliseconds: mix(before?.milliseconds, milliseconds), perSecond: mix(before?.perSecond, 1000 / Math.max(1, now - last)) };
          last = now;
          shares.value = smoothed(shares.value, top, PART);
          problem.value = null;
        } catch (error) {
          if (over) return;
          problem.value = asSentence(error);
          await new Promise((resolve) => { setTimeout(resolve, AFTER_FAILURE); });
        }
      }
    };
    void loop();
    return () => {
      over = true;
      watch.disconnect();
    };
  }, [live, device]);

  if (camera.kind === 'failed') {
    return <Note kind="wrong" live><p>{camera.message}</p><div><button type="button" class="button small" onClick={again}>Try again</button></div></Note>;
  }
  return (
    <div class="try-pair">
      <div class="try-left">
        <div class="try-picture">
          <video ref={video} class={mirrored ? 'mirrored' : ''} muted playsInline aria-label="What the camera sees, cut to the square that the network gets" />
          {camera.kind === 'asking' && <p class="try-wait" role="status">Waiting for the camera. The browser may ask whether to allow it.</p>}
        </div>
        {devices.length > 1 && (
          <Field label="Camera">
            {(control) => (
              <select {...control} class="input" value={device ?? ''} onChange={(event) => choose(event.currentTarget.value)}>
                {devices.map(({ id, label }) => <option key={id} value={id}>{label}</option>)}
              </select>
            )}
          </Field>
        )}
      </div>
      <div class="try-right">
        {problem.value && <Note kind="warn" live>{problem.value}</Note>}
        {shares.value && pace.value
          ? <Answers live shares={shares.value} aside={`${milliseconds(pace.value.milliseconds)} a picture, ${pace.value.perSecond < 10 ? pace.value.perSecond.toFixed(1) : Math.round(pace.value.perSecond)} a second. Shares are averaged over the last few.`} />
          : !problem.value && live && <p class="quiet" role="status">Asking the network…</p>}
      </div>
    </div>
  );
}

export function milliseconds(value: number): string {
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
}
