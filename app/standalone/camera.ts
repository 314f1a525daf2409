/** The camera as a stream of answers, one picture after another, as fast as the model goes but at most ten a second. */
import { useEffect, useState } from 'preact/hooks';
import type { RefObject } from 'preact';
import type { Answer, PageModel } from './model';

const LEAST = 100; // milliseconds between two pictures

/** Runs while `on`; a hidden page pauses it. Returns why there is no camera, or null. */
export function useCamera(on: boolean, video: RefObject<HTMLVideoElement | null>, model: PageModel | null, onAnswer: (answers: Answer[]) => void): string | null {
  const [problem, setProblem] = useState<string | null>(null);
  useEffect(() => {
    const element = video.current;
    if (!on || !element || !model) return;
    setProblem(null);
    let stream: MediaStream | undefined;
    let ended = false;
    const run = async (): Promise<void> => {
      if (!navigator.mediaDevices) throw new Error('this browser gives pages of this address no camera');
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' } });
      if (ended) return stop(stream);
      element.srcObject = stream;
      await element.play();
      while (!ended) {
        const began = performance.now();
        if (!document.hidden && element.videoWidth > 0) {
          const answers = await model.classify(element);
          if (!ended) onAnswer(answers);
        }
        await new Promise((resolve) => setTimeout(resolve, Math.max(10, LEAST - (performance.now() - began))));
      }
    };
    run().catch((error: Error) => {
      if (!ended) setProblem(cameraWords(error));
    });
    return () => {
      ended = true;
      if (stream) stop(stream);
      element.srcObject = null;
    };
  }, [on, model]);
  return problem;
}

function stop(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}

function cameraWords({ name, message }: Error): string {
  if (name === 'NotAllowedError') return 'The camera was not allowed. Allow it for this page in the address bar, then try again.';
  if (name === 'NotFoundError') return 'No camera was found.';
  if (name === 'NotReadableError') return 'The camera is in use by another program.';
  return `The camera cannot be used: ${message}.`;
}
