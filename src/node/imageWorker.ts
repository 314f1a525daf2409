/** A worker thread that decodes and preprocesses images, one at a time, for `DecodePool`. Its own entry of the build. */
import { parentPort } from 'node:worker_threads';
import { ImageError } from '../data/dataset';
import { decodeAndPreprocess } from './decode';
import type { ImageRequest } from './decode';

/** What a worker answers to a request. */
export type ImageAnswer =
  | { readonly data: Float32Array }
  | { readonly reason: string };

parentPort?.on('message', (request: ImageRequest) => {
  void answer(request);
});

async function answer(request: ImageRequest): Promise<void> {
  try {
    const data = await decodeAndPreprocess(request);
    const message: ImageAnswer = { data };
    parentPort?.postMessage(message, [data.buffer as ArrayBuffer]);
  } catch (error) {
    const reason = error instanceof ImageError ? error.reason : error instanceof Error ? error.message : String(error);
    const message: ImageAnswer = { reason };
    parentPort?.postMessage(message);
  }
}
