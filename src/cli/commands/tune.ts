/** `graft tune`: measures which algorithms are fastest for a model on this adapter, and keeps the answer. */
import { UsageError } from '../../errors';
import type { Gpu } from '../../gpu/gpu';
import { load } from '../../node/load';
import { diskTuningStore } from '../../node/tuneStore';
import { counted, duration } from '../../report/format';
import { modelWork, problemsOf, type Work } from '../../transfer/modelWork';
import { recipeOf } from '../../transfer/plan';
import { ARCHITECTURES } from '../../models/resnet';
import { scope } from '../../tensor';
import { median } from '../../tune/measure';
import type { Problem } from '../../tune/problems';
import { forgetTuning, keepResults, loadEntries, type TableEntries } from '../../tune/table';
import type { TuneReport, TuneResult } from '../../tune/report';
import { tune as findFastest } from '../../tune/tuner';
import { findPublishedWeights } from '../../weights/manifest';
import type { Precision } from '../../transfer/precision';
import { gpuOf, precisionOption } from '../arguments';
import { onInterrupt } from '../interrupt';
import { COMMAND, Terminal, bold, dim } from '../terminal';
import { TuneScreen, describeProblem, times } from '../tuneScreen';
import type { Classifier } from '../../transfer/classifier';

export interface TuneFlags {
  readonly batchSize?: readonly number[];
  readonly size?: number;
  readonly plan: string;
  readonly precision?: Precision;
  readonly budget?: number;
  readonly list?: boolean;
  readonly reset?: boolean;
  readonly json?: boolean;
  readonly gpu?: 'hardware' | 'software';
}

/** Milliseconds of one forward pass or step, before tuning and after. */
interface StepTime {
  readonly name: string;
  readonly batchSize: number;
  readonly before: number;
  readonly after: number;
}

export async function tune(model: string | undefined, flags: TuneFlags): Promise<number> {
  const terminal = new Terminal();
  const store = diskTuningStore();
  const warnings = new Set<string>();
  // Each class that cannot be kept would say so again.
  const warn = (message: string): void => {
    if (!warnings.has(message)) terminal.note(`graft: ${message}`);
    warnings.add(message);
  };
  if (model === undefined && !flags.list && !flags.reset) {
    throw new UsageError(`tune: name the model to tune for, such as resnet18 (or --list what is tuned, or --reset it)`);
  }
  recipeOf({ plan: flags.plan }); // a misspelt plan is told before a model is loaded
  const open = gpuOf(flags);
  if (model === undefined) {
    const gpu = await open();
    if (flags.reset) await forget(gpu);
    if (flags.list) listKept(terminal, gpu, await loadEntries(gpu.adapter, store, () => undefined), flags);
    return 0;
  }
  const classifier = await loadShapes(model, open);
  const { gpu } = classifier;
  if (flags.reset) await forget(gpu);
  const kept = await loadEntries(gpu.adapter, store, () => undefined); // opening the device told what is wrong with it
  const { works, dispose } = worksOf(classifier, flags);
  const interruption = onInterrupt(() => terminal.line('  Stopping. What was tuned so far is kept; Ctrl-C again ends at once.'));
  try {
    terminal.live('  looking for what there is to tune', { force: true });
    const problems = await problemsOf(classifier, works);
    const wanted = problems.filter(({ key }) => !kept.has(key));
    if (flags.list) {
      listProblems(terminal, gpu, problems, kept, flags);
      return 0;
    }
    const screen = new TuneScreen(terminal, flags.json ?? false);
    screen.introduce({ model, adapter: gpu.adapter, problems: problems.length, tuned: problems.length - wanted.length });
    if (wanted.length === 0) {
      if (flags.json) terminal.line(json(gpu, { results: [], untuned: [], ended: 'finished' }, []));
      else terminal.line(`  All is tuned already. ${dim(`To tune it again: ${COMMAND} tune ${model} --reset`)}`);
      return 0;
    }
    const before = await timesOf(gpu, works, interruption.signal, (work) => screen.timing(work, 'as it is now'));
    let saved = Promise.resolve(true);
    const keep = (result: TuneResult): void => {
      saved = saved.then(async (good) => (await keepResults(gpu.adapter, store, [result], warn)) && good);
    };
    const report = await findFastest(gpu, wanted, {
      signal: interruption.signal, known: kept.keys(),
      ...(flags.budget !== undefined && { budgetMs: 1000 * flags.budget }),
      onProgress: (event) => {
        if (event.kind === 'result') keep(event.result);
        screen.show(event);
      },
    });
    const good = await saved;
    const after = await timesOf(gpu, works, interruption.signal, (work) => screen.timing(work, 'tuned'));
    const steps = after.length === works.length ? works.map(({ name, batchSize }, i) => ({ name, batchSize, before: before[i], after: after[i] })) : [];
    if (flags.json) terminal.line(json(gpu, report, steps));
    else close(terminal, report, steps, { good, left: wanted.length - report.results.length - report.untuned.length });
    return report.ended === 'interrupted' ? interruption.status || 130 : 0;
  } finally {
    terminal.clear();
    interruption.restore();
    dispose();
  }

  async function forget(gpu: Gpu): Promise<void> {
    if (await forgetTuning(gpu, store, warn)) terminal.note('graft: what was tuned for this adapter is forgotten');
  }
}

/** A network of the right shapes: of an architecture, random weights do, and nothing is downloaded. */
async function loadShapes(model: string, open: () => Promise<Gpu>): Promise<Classifier> {
  const architecture = Object.hasOwn(ARCHITECTURES, model) ? model : findPublishedWeights(model)?.arch;
  return architecture === undefined ? load(model, { gpu: open }) : load(architecture, { gpu: open, weights: null });
}

function worksOf(classifier: Classifier, { plan, precision, size, batchSize = plan === 'head' ? [1, 32] : [32] }: TuneFlags): { works: readonly Work[]; dispose: () => void } {
  const made = batchSize.map((n) => modelWork(classifier, { plan, batchSize: n, ...precisionOption({ precision }), ...(size !== undefined && { size }) }));
  return { works: made.flatMap(({ works }) => works), dispose: () => made.forEach(({ dispose }) => dispose()) };
}

/** Seconds that timing one piece of work may take, beyond its first run. */
const PATIENCE = 4;

/** Milliseconds of each piece of work; fewer when it was interrupted. The first run, which compiles, does not count. */
async function timesOf(gpu: Gpu, works: readonly Work[], signal: AbortSignal, tell: (work: Work) => void): Promise<number[]> {
  const found: number[] = [];
  for (const work of works) {
    if (signal.aborted) break;
    tell(work);
    const run = async (): Promise<number> => {
      await gpu.sync();
      const began = performance.now();
      scope(gpu, work.run);
      await gpu.sync();
      return performance.now() - began;
    };
    await run();
    const began = performance.now();
    const taken: number[] = [];
    while (taken.length < 5 && (taken.length === 0 || performance.now() - began < 1000 * PATIENCE) && !signal.aborted) taken.push(await run());
    if (taken.length > 0) found.push(median(taken));
  }
  return found;
}

function close(terminal: Terminal, report: TuneReport, steps: readonly StepTime[], { good, left }: { good: boolean; left: number }): void {
  const { results, untuned, ended } = report;
  const changed = results.filter(({ candidate, defaultCandidate }) => candidate !== defaultCandidate);
  terminal.line();
  if (ended === 'budget') terminal.line(`  The budget is spent; ${counted(left, 'class')} left. ${dim('The same command goes on.')}`);
  terminal.line(`  ${bold(counted(results.length, 'class'))} tuned: ${changed.length} with another algorithm than the usual one${good ? ', kept for every run from now on' : ''}.`);
  if (untuned.length > 0) terminal.line(`  ${counted(untuned.length, 'class')} could not be tuned.`);
  for (const { name, batchSize, before, after } of steps) {
    terminal.line(`  ${`${name}, batch ${batchSize}`.padEnd(20)}${times(before)} before, ${bold(times(after))} now${dim(`  ${(before / after).toFixed(2)} x`)}`);
  }
}

function json(gpu: Gpu, report: TuneReport, steps: readonly StepTime[]): string {
  return JSON.stringify({ adapter: gpu.adapter, ...report, steps }, null, 2);
}

/** `--list` with a model: its classes, and which algorithm each gets now. */
function listProblems(terminal: Terminal, gpu: Gpu, problems: readonly Problem[], kept: TableEntries, { json: asJson }: TuneFlags): void {
  const rows = problems.map(({ key, family, shape, count }) => {
    const candidates = family.candidates(gpu, shape);
    const chosen = candidates.find(({ id }) => id === gpu.choices.table.get(key)) ?? candidates[0];
    return { class: key, count, candidates: candidates.length, chosen: chosen.id, tuned: kept.has(key), text: describeProblem(family.name, shape) };
  });
  if (asJson) return terminal.line(JSON.stringify(rows.map(({ text: _, ...row }) => row), null, 2));
  const width = Math.max(...rows.map(({ text }) => text.length));
  for (const { text, count, candidates, chosen, tuned } of rows) {
    terminal.line(`  ${text.padEnd(width)}  ${`${count} x`.padStart(5)}  ${String(candidates).padStart(3)} algorithms  ${tuned ? bold(chosen) : chosen}${tuned ? '' : dim(' (not tuned)')}`);
  }
}

/** `--list` alone: what is kept for this adapter. */
function listKept(terminal: Terminal, gpu: Gpu, kept: TableEntries, { json: asJson }: TuneFlags): void {
  if (asJson) return terminal.line(JSON.stringify({ adapter: gpu.adapter, entries: Object.fromEntries(kept) }, null, 2));
  if (kept.size === 0) return terminal.line(`  Nothing is tuned for ${gpu.adapter.description || 'this adapter'}. ${dim(`To tune: ${COMMAND} tune resnet18`)}`);
  const width = Math.max(...[...kept.keys()].map((key) => key.length));
  for (const [key, { candidate, ms, defaultMs }] of [...kept].sort(([a], [b]) => (a < b ? -1 : 1))) {
    terminal.line(`  ${key.padEnd(width)}  ${shown(defaultMs).padStart(9)}  ${shown(ms).padStart(9)}  ${candidate}`);
  }
}

function shown(ms: number | null): string {
  return ms === null ? '' : ms < 100 ? times(ms) : duration(ms / 1000);
}
