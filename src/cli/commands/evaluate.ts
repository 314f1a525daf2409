/** `graft evaluate`: how a model does on a folder of labelled images. */
import { DataError, suggest } from '../../errors';
import type { Dataset } from '../../data/dataset';
import { load } from '../../node/load';
import { counted, percent } from '../../report/format';
import { classScores, confusedPairs, wilsonInterval } from '../../report/statistics';
import { evaluate as judge } from '../../transfer/evaluate';
import type { Precision } from '../../transfer/precision';
import { gpuOf, precisionOption } from '../arguments';
import { fetchProgress } from '../fetchProgress';
import { onInterrupt } from '../interrupt';
import { Terminal, bold, columns, dim, oneLine } from '../terminal';
import { readImages } from './finetune';

export interface EvaluateFlags {
  readonly json?: boolean;
  readonly batchSize?: number;
  readonly gpu?: 'hardware' | 'software';
  readonly precision?: Precision;
}

export async function evaluate(model: string, folder: string, flags: EvaluateFlags): Promise<number> {
  const terminal = new Terminal();
  const data = await readImages(folder, { validationFraction: 0 }, terminal);
  const chosen = data.test ?? data.train;
  const classifier = await load(model, { gpu: gpuOf(flags), ...precisionOption(flags), fetch: fetchProgress(terminal) });
  const dataset = withClasses(chosen, classifier.classes, model);
  const interruption = onInterrupt(() => undefined);
  const skipped = [...data.report.skipped];
  terminal.live(`  judging ${counted(dataset.items.length, 'image')}`, { force: true });
  const result = await judge(classifier, dataset, {
    signal: interruption.signal, onSkip: ({ path, reason }) => skipped.push({ path, reason }),
    ...(flags.batchSize !== undefined && { batchSize: flags.batchSize }),
  });
  interruption.restore();
  if (interruption.signal.aborted) return interruption.status;
  const { accuracy, count, loss, confusion, predictions } = result;
  const { classes } = classifier;
  if (flags.json) {
    const told = predictions.map(({ name, label, predicted, confidence }) => ({ image: name, label: classes[label], predicted: classes[predicted], confidence }));
    terminal.line(JSON.stringify({ model, images: count, accuracy, accuracyInterval: wilsonInterval(accuracy, count), loss, classes, confusion, predictions: told, skipped }, null, 2));
    return 0;
  }
  const [low, high] = wilsonInterval(accuracy, count);
  terminal.line(`  Accuracy ${bold(percent(accuracy))} of ${counted(count, data.test ? 'test image' : 'image')}  ${dim(`(95 % interval ${(low * 100).toFixed(1)} to ${(high * 100).toFixed(1)} %, loss ${loss.toFixed(4)})`)}`);
  const scores = classScores(result, classes).filter(({ images }) => images > 0).sort((a, b) => (a.recall ?? 2) - (b.recall ?? 2));
  const rows = scores.slice(0, 30).map(({ name, images, correct, recall }) => [oneLine(name), `${correct}/${images}`, percent(recall ?? 0)]);
  for (const row of columns(rows, [1, 2])) terminal.line(`    ${row}`);
  if (scores.length > 30) terminal.line(dim(`    and ${scores.length - 30} classes that do better`));
  const pairs = confusedPairs(result).slice(0, 5).map(({ label, predicted, images }) => `${oneLine(classes[label])} for ${oneLine(classes[predicted])} (${images})`);
  if (pairs.length > 0) terminal.line(`  Most often confused: ${pairs.join(', ')}`);
  for (const { path, reason } of skipped) terminal.note(`graft: left out ${path}: ${reason}`);
  return 0;
}

/** The dataset with its labels as the model numbers them. @throws DataError for a label the model does not know. */
function withClasses(dataset: Dataset, classes: readonly string[], model: string): Dataset {
  const numbers = dataset.classes.map((name) => {
    const number = classes.indexOf(name);
    if (number < 0) throw new DataError(`evaluate: ${model} has no class '${name}'.${suggest(name, classes.slice(0, 30))}`);
    return number;
  });
  const wrap = (inner: Dataset): Dataset => ({
    classes,
    items: inner.items.map((item) => ({ ...item, label: numbers[item.label] })),
    load: (index, preprocessing, augment) => inner.load(index, preprocessing, augment),
    subset: (indices) => wrap(inner.subset(indices)),
  });
  return wrap(dataset);
}
