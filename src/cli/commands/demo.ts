/**
 * `graft demo`: the whole path on what ships. A new head on the base, then the same network from scratch, both on the
 * sample's images and for as many epochs, both judged on its test images.
 */
import { join, relative } from 'node:path';
import { UsageError } from '../../errors';
import type { ImageFolder } from '../../node/imageFolder';
import { load } from '../../node/load';
import { pathKind } from '../../node/modelDir';
import { packageRoot } from '../../node/packageRoot';
import { counted, duration, percent } from '../../report/format';
import { architectureTitle } from '../../report/report';
import type { Classifier } from '../../transfer/classifier';
import { fineTuneWithRecovery } from '../../transfer/recovery';
import type { Evaluation, FineTuneOptions, FineTuneResult } from '../../transfer/types';
import { gpuOf } from '../arguments';
import { onInterrupt } from '../interrupt';
import { folderName, outFolder } from '../outFolder';
import { writeOutcome } from '../runOutput';
import { COMMAND, Terminal, bar, bold, dim } from '../terminal';
import { TrainingScreen } from '../trainingScreen';
import { readImages, testOn } from './finetune';

export interface DemoFlags {
  readonly epochs: number;
  readonly seed: number;
  readonly out?: string;
  readonly data?: string;
  readonly model: string;
  readonly gpu?: 'hardware' | 'software';
}

interface Half {
  /** On the device that was opened last. */
  readonly classifier: Classifier;
  readonly result: FineTuneResult;
  readonly test: Evaluation | null;
}

export async function demo(flags: DemoFlags): Promise<number> {
  const terminal = new Terminal();
  const sample = flags.data ?? (await sampleFolder());
  const { epochs, seed } = flags;
  const dir = await outFolder({ out: flags.out, name: 'demo', force: flags.out === undefined, resume: flags.out !== undefined });
  const data = await readImages(sample, {}, terminal);
  if (!data.test) throw new UsageError(`demo: ${sample} has no test folder beside train; the demo compares on test images`);
  const device = gpuOf(flags);
  const first = await load(flags.model, { gpu: device });
  const { gpu } = first;
  const about = `${counted(data.train.items.length + data.validation.items.length, 'image')} in ${counted(data.classes.length, 'class')}`;
  terminal.line();
  terminal.line(`  ${bold('Graft')}: fine-tuning on ${gpu.adapter.description}${gpu.adapter.software ? ' (software)' : ''}`);
  terminal.line();
  terminal.line(`  ${bold('1  A new head on a trained network')}`);
  terminal.line(dim(`     ${architectureTitle(first.network)} (${first.base ?? 'random'}) has learned other images; only its last layer is new. ${about}.`));
  const screen = new TrainingScreen(terminal, epochs);
  const interruption = onInterrupt(() => terminal.line('  Stopping. Ctrl-C again ends at once.'));
  const common = { epochs, seed, patience: 0, signal: interruption.signal };
  const half = async (open: () => Promise<Classifier>, options: FineTuneOptions, show: TrainingScreen): Promise<Half> => {
    const { classifier, result } = await fineTuneWithRecovery(open, data, { ...common, ...options, onProgress: show.show });
    if (result.ended === 'diverged') terminal.note(`graft: ${result.reason ?? 'training diverged'}`);
    return { classifier, result, test: interruption.signal.aborted ? null : await testOn(classifier, data, show, { signal: interruption.signal }) };
  };
  const tuned = await half(() => (first.gpu.lost ? load(flags.model, { gpu: device }) : Promise.resolve(first)), { plan: 'head' }, screen);
  const outcome = { data, name: flags.data === undefined ? 'The sample' : folderName(sample), skipped: screen.skipped, notes: screen.notes, ...tuned };
  if (interruption.signal.aborted) return stopped(terminal, dir, outcome, interruption.status);

  terminal.line();
  terminal.line(`  ${bold('2  The same network from scratch')}`);
  terminal.line(dim(`     Random weights, all layers trained, the same images, the same ${epochs} epochs.`));
  // Before the second half, in which the device may be lost and this model with it.
  await writeOutcome(dir, outcome, { force: true });
  const scratch = await half(() => load(flags.model, { gpu: device, weights: null, classes: data.classes, seed }), { plan: 'full' }, new TrainingScreen(terminal, epochs));
  scratch.classifier.dispose();
  const classifier = tuned.classifier.gpu.lost ? await load(dir, { gpu: device }) : tuned.classifier;
  if (interruption.signal.aborted) return stopped(terminal, dir, { ...outcome, classifier }, interruption.status);

  await writeOutcome(dir, { ...outcome, classifier, comparison: { name: 'from scratch', ...scratch } }, { force: true });
  interruption.restore();
  summarise(terminal, data, tuned, scratch);
  const shown = relative('.', dir) || dir;
  terminal.line(`  Wrote ${bold(shown)}: model.safetensors, model.json, metrics.json, report.html`);
  terminal.line(dim('  Your own images, a folder for each label:'));
  terminal.line(dim(`    ${COMMAND} finetune FOLDER --model resnet18 --plan head`));
  return 0;
}

function summarise(terminal: Terminal, data: ImageFolder, tuned: Half, scratch: Half): void {
  const row = (name: string, { test, result }: Half): void => {
    if (test) terminal.line(`  ${name.padEnd(14)} ${bar(test.accuracy, 30)} ${bold(percent(test.accuracy).padStart(7))}   ${dim(duration(result.seconds))}`);
  };
  terminal.line();
  terminal.line(`  ${bold(`Accuracy on ${counted(data.test?.items.length ?? 0, 'test image')}`)} ${dim('from fonts neither network has seen')}`);
  row('fine-tuned', tuned);
  row('from scratch', scratch);
  terminal.line();
}

async function stopped(terminal: Terminal, dir: string, outcome: Parameters<typeof writeOutcome>[1], status: number): Promise<number> {
  if (outcome.result.bestEpoch === 0) {
    terminal.note('graft: interrupted before the first epoch was done; nothing was written');
  } else {
    await writeOutcome(dir, outcome, { force: true });
    terminal.line(`  Wrote the fine-tuned model to ${bold(relative('.', dir) || dir)}`);
  }
  return status;
}

/** The images that ship beside the base. */
async function sampleFolder(): Promise<string> {
  const folder = join(packageRoot(), 'sample');
  if ((await pathKind(folder)) === 'folder') return folder;
  throw new UsageError(`demo: the sample images are missing from this installation (${folder}); install graft-gpu again, or give --data FOLDER with train and test in it`);
}
