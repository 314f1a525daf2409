/** The camera: asked for while a component wants it, stopped afterwards, with its failures in words. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { RefObject } from 'preact';

export type CameraState =
  | { readonly kind: 'asking' }
  | { readonly kind: 'live' }
  | { readonly kind: 'failed'; readonly message: string };

export interface CameraDevice {
  readonly id: string;
  readonly label: string;
}

export interface Camera {
  /** For a `<video ref={video} muted playsInline />`. */
  readonly video: RefObject<HTMLVideoElement | null>;
  readonly state: CameraState;
  /** More than one where there is a choice. Known once the camera is live. */
  readonly devices: readonly CameraDevice[];
  readonly device: string | null;
  /** Whether it looks at its user, so that the preview is better mirrored. */
  readonly mirrored: boolean;
  choose(id: string): void;
  /** After a failure. */
  again(): void;
}

/** The camera, live while the component is shown and the page can be seen: in the background it is let go, and taken again afterwards. */
export function useCamera(): Camera {
  const video = useRef<HTMLVideoElement>(null);
  const [state, setState] = useState<CameraState>({ kind: 'asking' });
  const [devices, setDevices] = useState<readonly CameraDevice[]>([]);
  const [wanted, setWanted] = useState<string | null>(null);
  const [actual, setActual] = useState<{ device: string | null; mirrored: boolean }>({ device: null, mirrored: true });
  const [attempts, setAttempts] = useState(0);
  const [hidden, setHidden] = useState(document.hidden);

  useEffect(() => {
    const follow = (): void => setHidden(document.hidden);
    document.addEventListener('visibilitychange', follow);
    return () => document.removeEventListener('visibilitychange', follow);
  }, []);

  useEffect(() => {
    if (hidden) return undefined;
    let stream: MediaStream | undefined;
    let over = false;
    const fail = (error: unknown): void => { if (!over) setState({ kind: 'failed', message: cameraProblem(error) }); };
    const start = async (): Promise<void> => {
      setState({ kind: 'asking' });
      if (!navigator.mediaDevices?.getUserMedia) throw new DOMException('', isSecureContext ? 'NotSupportedError' : 'SecurityError');
      const taken = await navigator.mediaDevices.getUserMedia({
        audio: false, video: { width: { ideal: 640 }, height: { ideal: 480 }, ...(wanted === null ? { facingMode: { ideal: 'environment' } } : { deviceId: { exact: wanted } }) },
      });
      if (over) return stop(taken);
      stream = taken;
      const [track] = taken.getVideoTracks();
      track.addEventListener('ended', () => fail(new DOMException('', 'TrackEndedError')));
      const { deviceId = null, facingMode } = track.getSettings();
      setActual({ device: deviceId, mirrored: facingMode !== 'environment' });
      const shown = video.current as HTMLVideoElement;
      shown.srcObject = taken;
      await shown.play();
      const found = await navigator.mediaDevices.enumerateDevices();
      if (over) return;
      setDevices(found.filter(({ kind }) => kind === 'videoinput').map(({ deviceId: id, label }, i) => ({ id, label: label || `Camera ${i + 1}` })));
      setState({ kind: 'live' });
    };
    start().catch(fail);
    return () => {
      over = true;
      if (stream) stop(stream);
    };
  }, [wanted, attempts, hidden]);

  return { video, state, devices, ...actual, choose: setWanted, again: () => setAttempts(attempts + 1) };
}

/** The video's picture as a JPEG. Null before the first frame. */
export async function frameOf(video: HTMLVideoElement): Promise<Blob | null> {
  if (video.videoWidth === 0) return null;
  const canvas = document.createElement('canvas');
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext('2d')?.drawImage(video, 0, 0);
  return new Promise((resolve) => canvas.toBlob(resolve, 'image/jpeg', 0.92));
}

/** Why there is no picture, and what to do about it. */
export function cameraProblem(error: unknown): string {
  const name = error instanceof Error || error instanceof DOMException ? error.name : '';
  switch (name) {
    case 'NotAllowedError': return 'The camera was not allowed. Allow it for this page in the browser (the camera or lock beside the address), and in the system\'s privacy settings; then try again.';
    case 'NotFoundError': return 'No camera was found. Connect one and try again, or add pictures as files.';
    case 'OverconstrainedError': return 'That camera is no longer there. Choose another one, or try again.';
    case 'NotReadableError': case 'AbortError': return 'The camera gives no picture: another program may be using it. Close that program and try again.';
    case 'SecurityError': return 'Browsers give the camera only to pages over https or on localhost, and this page is neither.';
    case 'NotSupportedError': return 'This browser gives pages no camera.';
    case 'TrackEndedError': return 'The camera was switched off or unplugged. Connect it and try again.';
    default: return `The camera could not be started: ${error instanceof Error && error.message ? error.message : 'no reason was given'}.`;
  }
}

function stop(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}
