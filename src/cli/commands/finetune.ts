/** `graft finetune`: an image folder and a pretrained model in, a fine-tuned model and its report out. */
import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { UsageError } from '../../errors';
import { formatProfile } from '../../gpu/profiler';
import { counted, percent } from '../../report/format';
import { architectureTitle } from '../../report/report';
import { networkParts } from '../../report/runRecord';
import { imageFolder, type ImageFolder } from '../../node/imageFolder';
import { load } from '../../node/load';
import { CHECKPOINT } from '../../node/modelDir';
import { diskCheckpointStore, diskFeatureStore } from '../../node/stores';
import type { Classifier } from '../../transfer/classifier';
import { evaluate, type EvaluateOptions } from '../../transfer/evaluate';
import { applyPlan, recipeOf } from '../../transfer/plan';
import { assertPrecision, type Precision } from '../../transfer/precision';
import { fineTuneWithRecovery } from '../../transfer/recovery';
import type { Evaluation, FineTuneOptions } from '../../transfer/types';
import { gpuOf, precisionOption, weightsOption } from '../arguments';
import { fetchProgress } from '../fetchProgress';
import { onInterrupt } from '../interrupt';
import { fileName, folderName, outFolder } from '../outFolder';
import { writeOutcome } from '../runOutput';
import { COMMAND, Terminal, bold, dim } from '../terminal';
import { trainingOptions, type TrainingFlags } from '../trainingOptions';
import { TrainingScreen, closingLines, endSentence } from '../trainingScreen';

export interface FinetuneFlags extends TrainingFlags {
  readonly model: string;
  readonly weights?: string;
  readonly width?: number;
  readonly out?: string;
  readonly resume?: boolean;
  readonly force?: boolean;
  readonly cache: boolean;
  readonly profile?: boolean;
  readonly gpu?: 'hardware' | 'software';
  readonly validationFraction?: number;
  readonly workers?: number;
}

export async function finetune(folder: string, flags: FinetuneFlags): Promise<number> {
  const terminal = new Terminal();
  const options = trainingOptions(flags);
  const recipe = recipeOf(options); // what is out of range is told before any file is touched
  const name = folderName(folder);
  const data = await readImages(folder, flags, terminal);
  const weights = weightsOption(flags.weights);
  // Where nothing but the last layer is trained, the weights need never be f32 on the device.
  const precision = recipe.plan === 'head' ? precisionOption(flags) : {};
  const device = gpuOf(flags);
  const open = (): Promise<Classifier> => load(flags.model, { gpu: device, ...precision, ...weights, ...(flags.width !== undefined && { width: flags.width }), fetch: fetchProgress(terminal) });
  let classifier = await open();
  const { gpu } = classifier;
  applyPlan(classifier.network, recipe); // and so is a plan that names no part of this network
  assertPrecision(gpu, recipe.precision);
  if (flags.profile && !gpu.device.features.has('timestamp-query')) throw new UsageError('--profile needs timestamp queries, which this adapter lacks; leave it out');
  const dir = await outFolder({
    out: flags.out, name: fileName(`${name}-${flags.plan}`), force: flags.force ?? false, resume: flags.resume ?? false,
  });
  introduce(terminal, { classifier, data, name, dir, plan: flags.plan, precision: recipe.precision, adapter: gpu.adapter });

  const screen = new TrainingScreen(terminal, recipe.epochs);
  for (const note of [...classifier.notes, ...data.report.warnings]) terminal.note(`graft: note: ${note}`);
  const interruption = onInterrupt(() => terminal.line('  Stopping. The best model so far is kept; Ctrl-C again ends at once.'));
  const stores: Pick<FineTuneOptions, 'features' | 'checkpoint'> = {
    checkpoint: diskCheckpointStore(join(dir, CHECKPOINT), { onNote: screen.note }),
    ...(flags.cache && { features: diskFeatureStore(undefined, { onNote: screen.note }) }),
  };
  const first = classifier;
  const { result } = await fineTuneWithRecovery(() => (first.gpu.lost ? open() : Promise.resolve(first)), data, {
    ...options, ...stores, resume: flags.resume ?? false, signal: interruption.signal, onProgress: screen.show,
    onClassifier: (trained) => {
      classifier = trained;
      if (flags.profile) trained.gpu.startProfile();
    },
  });
  if (flags.profile) terminal.line(`\n${formatProfile(await classifier.gpu.stopProfile())}\n`);

  const { ended, bestEpoch } = result;
  const reason = endSentence(result);
  if (bestEpoch === 0) {
    interruption.restore();
    const begun = ended === 'interrupted' && existsSync(join(dir, CHECKPOINT));
    const rest = begun ? 'to go on: the same command with --resume' : `${dir} is as it was`;
    terminal.note(`graft: ${ended === 'diverged' ? reason : 'interrupted before the first epoch was done'}; no epoch was finished, so there is no model to keep; ${rest}`);
    return ended === 'diverged' ? 1 : interruption.status || 130;
  }
  if (ended === 'interrupted' || ended === 'early') terminal.line(`  ${reason}`);
  if (data.test) terminal.live(`  judging ${counted(data.test.items.length, 'test image')}`, { force: true });
  const test = ended === 'interrupted' || !data.test ? null : await testOn(classifier, data, screen, { batchSize: result.memory.microBatch, signal: interruption.signal });
  await writeOutcome(dir, { classifier, data, name, skipped: screen.skipped, notes: [...classifier.notes, ...screen.notes], result, test }, { force: true });
  interruption.restore();
  terminal.line();
  for (const line of closingLines(result, [...data.report.skipped, ...screen.skipped])) terminal.line(line);
  if (test) terminal.line(`  Test accuracy ${bold(percent(test.accuracy))} of ${counted(test.count, 'image')}.`);
  terminal.line(`  Wrote ${bold(dir)}: model.safetensors, model.json, metrics.json, report.html`);
  if (ended === 'interrupted') terminal.line(dim('  To go on: the same command with --resume'));
  else terminal.line(dim(`  To use it: ${COMMAND} predict ${dir} IMAGE`));
  if (ended === 'diverged') {
    terminal.note(`graft: ${reason}`);
    return 1;
  }
  return ended === 'interrupted' ? interruption.status || 130 : 0;
}

/** Reads an image folder, with a live count for large ones. */
export async function readImages(folder: string, flags: Pick<FinetuneFlags, 'validationFraction' | 'workers'>, terminal: Terminal): Promise<ImageFolder> {
  const { validationFraction, workers } = flags;
  const data = await imageFolder(folder, {
    ...(validationFraction !== undefined && { validationFraction }),
    ...(workers !== undefined && { workers }),
    onProgress: (done, total) => terminal.live(`  reading ${done}/${total} images`),
  });
  terminal.clear();
  return data;
}

/** Judges on the test part, whose pictures were neither trained nor chosen by. */
export async function testOn(classifier: Classifier, data: ImageFolder, screen: TrainingScreen, options: Pick<EvaluateOptions, 'batchSize' | 'signal'> = {}): Promise<Evaluation | null> {
  if (!data.test) return null;
  const test = await evaluate(classifier, data.test, { ...options, onSkip: (skipped) => screen.show({ kind: 'skip', ...skipped }) });
  return options.signal?.aborted ? null : test;
}

interface Introduction {
  readonly classifier: Classifier;
  readonly data: ImageFolder;
  readonly name: string;
  readonly dir: string;
  readonly plan: string;
  readonly precision: Precision;
  readonly adapter: { readonly description: string; readonly software: boolean };
}

function introduce(terminal: Terminal, { classifier, data, name, dir, plan, precision, adapter }: Introduction): void {
  const { network, base } = classifier;
  const { train, validation, test } = data;
  const names = [...network.namedParameters()].filter(([, parameter]) => parameter.requiresGrad).map(([path]) => path);
  const parts = networkParts(network, names);
  const trained = parts.filter((part) => part.trained > 0);
  const splits = [`${train.items.length} to train`, `${validation.items.length} to validate`, ...(test ? [`${test.items.length} to test`] : [])];
  const row = (label: string, text: string): void => terminal.line(`  ${dim(label.padEnd(9))}${text}`);
  terminal.line();
  row('model', `${architectureTitle(network)}, ${base === null ? 'random weights' : base}`);
  row('images', `${name}: ${counted(data.classes.length, 'class')}, ${splits.join(', ')}`);
  row('plan', `${plan}: trains ${trained.length === parts.length ? 'all parts' : trained.map((part) => part.name).join(', ')}${trained.length === parts.length ? '' : '; the rest is held'}${precision === 'float16' ? ', in float16' : ''}`);
  row('adapter', `${adapter.description}${adapter.software ? ' (software)' : ''}`);
  row('out', relative('.', dir) || dir);
  terminal.line();
}
