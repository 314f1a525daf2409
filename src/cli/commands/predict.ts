/** `graft predict`: the likeliest classes of images. */
import { findImages, predictFiles } from '../../node/predict';
import type { FilePrediction } from '../../node/predict';
import { load } from '../../node/load';
import { percent } from '../../report/format';
import type { Precision } from '../../transfer/precision';
import { gpuOf, precisionOption } from '../arguments';
import { fetchProgress } from '../fetchProgress';
import { Terminal, bold, columns, dim, oneLine } from '../terminal';

export interface PredictFlags {
  readonly topK: number;
  readonly json?: boolean;
  readonly batchSize?: number;
  readonly gpu?: 'hardware' | 'software';
  readonly precision?: Precision;
}

/** Exit status 1 when an image could not be read; the others are predicted all the same. */
export async function predict(model: string, paths: readonly string[], flags: PredictFlags): Promise<number> {
  const terminal = new Terminal();
  const images = await findImages(paths);
  const classifier = await load(model, { gpu: gpuOf(flags), ...precisionOption(flags), fetch: fetchProgress(terminal) });
  const done: FilePrediction[] = [];
  const failed: { path: string; reason: string }[] = [];
  const options = { topK: flags.topK, ...(flags.batchSize !== undefined && { batchSize: flags.batchSize }) };
  for await (const prediction of predictFiles(classifier, images, { ...options, onSkip: (skipped) => failed.push(skipped) })) {
    if (flags.json) done.push(prediction);
    else print(terminal, prediction, images.length);
  }
  if (flags.json) terminal.line(JSON.stringify({ model, predictions: done, failed }, null, 2));
  for (const { path, reason } of failed) terminal.note(`graft: ${path}: ${reason}`);
  return failed.length > 0 ? 1 : 0;
}

function print(terminal: Terminal, { path, top }: FilePrediction, images: number): void {
  if (images > 1) terminal.line(bold(oneLine(path)));
  const rows = columns(top.map((one) => [percent(one.probability), oneLine(one.class)]), [0]);
  rows.forEach((row, i) => terminal.line(`  ${i === 0 ? row : dim(row)}`));
}
