/** The studio's worker, asked through a page as the page asks it; and a project small enough that a run takes seconds. */
import type { Page } from 'puppeteer-core';
import { expect } from 'vitest';
import type { AddReport, ClassInfo, RunState, StudioState } from '../../app/shared/protocol';
import { serializeSafetensors } from '../../src/weights/safetensors';
import { seededStateDict } from '../../src/weights/seeded';
import { pauseWhen, sample, until } from './visitor';

export type Sent = readonly { readonly path: string; readonly base64: string }[];

export const sent = (path: string, bytes: Uint8Array | string): Sent[number] => ({ path, base64: Buffer.from(bytes).toString('base64') });
/** Of each of the labels of `folder`. */
export const EACH = 6;
export const folder = ['psi', 'ya'].flatMap((label) => Array.from({ length: EACH }, (_, i) => sent(`letters/${label}/${i + 1}.png`, sample(label, i + 1))));

/** A ResNet-18 too small to be of use, so that a run takes seconds. */
export function weights(width: number, classes: number): Uint8Array {
  const shapes = new Map<string, readonly number[]>();
  const norm = (name: string, n: number): void => {
    for (const part of ['weight', 'bias', 'running_mean', 'running_var']) shapes.set(`${name}.${part}`, [n]);
  };
  const conv = (name: string, normName: string, [out, into, size]: readonly number[]): void => {
    shapes.set(`${name}.weight`, [out, into, size, size]);
    norm(normName, out);
  };
  conv('conv1', 'bn1', [width, 3, 7]);
  for (let stage = 1; stage <= 4; stage++) {
    const out = width * 2 ** (stage - 1);
    for (const block of [0, 1]) {
      const into = stage > 1 && block === 0 ? out / 2 : out;
      const name = `layer${stage}.${block}`;
      conv(`${name}.conv1`, `${name}.bn1`, [out, into, 3]);
      conv(`${name}.conv2`, `${name}.bn2`, [out, out, 3]);
      if (into !== out) conv(`${name}.downsample.0`, `${name}.downsample.1`, [out, into, 1]);
    }
  }
  shapes.set('fc.weight', [classes, 8 * width]).set('fc.bias', [classes]);
  return serializeSafetensors(seededStateDict(shapes, 7), { metadata: { format: 'pt' } });
}

/** Goes with `weights(4, 3)`. */
export const card = {
  format: 'graft-model-1', architecture: 'resnet18', width: 4, classes: ['a', 'b', 'c'], base: null,
  preprocessing: { resizeSize: 32, cropSize: 32, interpolation: 'bilinear', mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] },
};
export const SETTINGS = { plan: 'layer4.1', epochs: 6, batchSize: 4, seed: 3 } as const;

export function read<K extends keyof StudioState>(page: Page, slice: K): Promise<StudioState[K]> {
  return page.evaluate((name: string) => graft.state[name as 'run'].value as unknown, slice) as Promise<StudioState[K]>;
}

export function add(page: Page, files: Sent, classId: number | null): Promise<AddReport> {
  return page.evaluate(async (list, id) => graft.studio.addFiles(list.map(({ path, base64 }) => ({ path, blob: new Blob([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))]) })), id), files, classId);
}

/** What a call is refused with. */
export function refusal(page: Page, call: string): Promise<string> {
  return page.evaluate(`graft.studio.${call}.then(() => 'nothing', (error) => error.message)`) as Promise<string>;
}

export const counts = (classes: readonly ClassInfo[]): Record<string, number> => Object.fromEntries(classes.map(({ name, images }) => [name, images.length]));

export async function chooseDropped(page: Page, files: Sent): Promise<StudioState['base']> {
  await page.evaluate(async (list) => graft.studio.chooseBase({ kind: 'files', files: list.map(({ path, base64 }) => new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], path)) }), files);
  return read(page, 'base');
}

/** Resolves when a run goes on. */
export async function begin(page: Page): Promise<void> {
  const refused = await page.evaluate(() => Promise.race([
    graft.studio.train().then(() => '', (error: Error) => error.message),
    new Promise<string>((resolve) => {
      const timer = setInterval(() => {
        if (graft.state.run.value.kind !== 'running') return;
        clearInterval(timer);
        resolve('');
      }, 10);
    }),
  ]));
  expect(refused).toBe('');
}

/** Starts a run and pauses it in the middle of an epoch. */
export async function trainUntil(page: Page, epoch: number): Promise<void> {
  const paused = pauseWhen(page, `run.phase === 'training' && run.epoch >= ${epoch}`);
  await begin(page);
  await paused;
}

export async function ended(page: Page): Promise<Extract<RunState, { kind: 'ended' }>> {
  await until(page, "graft.state.run.value.kind !== 'running'");
  const run = await read(page, 'run');
  if (run.kind !== 'ended') throw new Error(`the run is ${run.kind}: ${JSON.stringify(run)}`);
  return run;
}

/** What two runs of the same bits have in common: all but times. */
export function bits({ result, validation, classes }: Extract<RunState, { kind: 'ended' }>): unknown {
  return { history: result.history.map(({ seconds: _seconds, ...rest }) => rest), best: result.bestEpoch, ended: result.ended, validation, classes };
}
