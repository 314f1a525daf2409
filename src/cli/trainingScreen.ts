/** Shows a training run as it goes: a live line on a terminal, a plain line an epoch everywhere. */
import type { SkippedImage } from '../data/collection';
import { count, duration, percent } from '../report/format';
import { memoryPhrase } from '../report/memory';
import { placeInWords } from '../transfer/kept';
import type { EpochRecord, FineTuneResult, ProgressEvent } from '../transfer/types';
import { bar, bold, dim, green, oneLine, type Terminal } from './terminal';

export class TrainingScreen {
  /** Images whose damage showed only in decoding, each told once. */
  readonly skipped: SkippedImage[] = [];
  readonly notes: string[] = [];
  readonly #terminal: Terminal;
  readonly #began = performance.now();
  #epochSeconds = 0;
  #epochsSeen = 0;
  #epochs: number;
  #header = false;
  #featuresBegan = 0;

  constructor(terminal: Terminal, epochs: number) {
    this.#terminal = terminal;
    this.#epochs = epochs;
  }

  readonly show = (event: ProgressEvent): void => {
    switch (event.kind) {
      case 'compile':
        return this.#terminal.live('  compiled the kernels', { force: true });
      case 'memory':
        return this.#memory(event);
      case 'resume':
        return this.#terminal.line(`  Going on ${placeInWords(event)}.`);
      case 'features':
        return this.#features(event);
      case 'step':
        return this.#step(event);
      case 'epoch':
        return this.#epoch(event.record, event.best);
      case 'skip':
        if (!this.skipped.some(({ path }) => path === event.path)) this.skipped.push({ path: event.path, reason: event.reason });
        return;
      case 'note':
        return this.note(event.message);
    }
  };

  /** A sentence for the screen and the report. */
  readonly note = (message: string): void => {
    this.notes.push(message);
    this.#terminal.note(`graft: note: ${message}`);
  };

  /** Told where it was asked for, and where the batch is not taken as a whole. */
  #memory({ batchSize, memory }: Extract<ProgressEvent, { kind: 'memory' }>): void {
    if (memory.budget === null && memory.microBatch >= batchSize && memory.recompute === false) return;
    this.#terminal.line(`  Memory: ${memoryPhrase(batchSize, memory)}.`);
  }

  #features({ done, total, cached }: Extract<ProgressEvent, { kind: 'features' }>): void {
    if (this.#featuresBegan === 0) this.#featuresBegan = performance.now();
    const seconds = (performance.now() - this.#featuresBegan) / 1000;
    const fresh = done - cached;
    const speed = seconds > 0.2 && fresh > 0 ? `   ${count(fresh / seconds)} images/s   ${duration(((total - done) / fresh) * seconds)} left` : '';
    if (done < total) return this.#terminal.live(`  features   ${bar(done / total)}  ${count(done)}/${count(total)}${dim(speed)}`);
    const kept = cached > 0 ? `, ${count(cached)} of them kept from an earlier run` : '';
    this.#terminal.line(`  Features of ${count(total)} images${kept}: ${duration(seconds)}. The network before the last layer does not change, so they are computed once.`);
  }

  #step({ epoch, epochs, step, steps, loss, imagesPerSecond }: Extract<ProgressEvent, { kind: 'step' }>): void {
    this.#epochs = epochs;
    const done = this.#epochsSeen > 0 ? this.#epochSeconds / this.#epochsSeen : (performance.now() - this.#began) / 1000 / (step / steps);
    const left = done * (epochs - epoch + 1 - step / steps);
    this.#terminal.live(`  ${position(epoch, epochs)}  ${bar(step / steps, this.#narrow ? 10 : 24)}  loss ${lossText(loss)}   ${dim(`${count(imagesPerSecond)} images/s${left < 1 ? '' : `   ${duration(left)} left`}`)}`);
  }

  #epoch(record: EpochRecord, best: boolean): void {
    const { epoch, trainLoss, validationLoss, validationAccuracy, seconds } = record;
    this.#epochSeconds += seconds;
    this.#epochsSeen++;
    if (!this.#header) {
      this.#header = true;
      this.#terminal.line(dim(this.#row('epoch', this.#narrow ? ['loss', 'val.', 'right'] : ['loss', 'val. loss', 'accuracy', 'time'])));
    }
    const cells = [lossText(trainLoss), validationLoss === null ? '' : lossText(validationLoss), validationAccuracy === null ? '' : percent(validationAccuracy)];
    this.#terminal.line(`${this.#row(position(epoch, this.#epochs), this.#narrow ? cells : [...cells, duration(seconds)])}${best ? `  ${green('best')}` : ''}`);
  }

  get #narrow(): boolean {
    return this.#terminal.columns < 60;
  }

  /** Fits 40 columns when the terminal is narrow, else 60. */
  #row(first: string, cells: readonly string[]): string {
    return `  ${first.padStart(7)}${cells.map((cell) => cell.padStart(this.#narrow ? 8 : 11)).join('')}`;
  }
}

/** At most eight characters, also of a loss that blows up. */
function lossText(loss: number): string {
  return Math.abs(loss) < 1000 || !Number.isFinite(loss) ? loss.toFixed(4) : loss.toExponential(2);
}

function position(epoch: number, epochs: number): string {
  return `${epoch}/${epochs}`.padStart(7);
}

/** How a run ended, in a sentence; empty when it ran to its end. */
export function endSentence({ ended, reason, recipe, history }: FineTuneResult): string {
  if (ended === 'early') return `Stopped after epoch ${history.length}: ${recipe.patience} epochs without a better one.`;
  if (ended === 'interrupted') return `Interrupted after ${history.length} of ${recipe.epochs} epochs.`;
  return ended === 'diverged' ? (reason ?? 'Training diverged.') : '';
}

/** The lines that close a run: what it reached, and what was left out. */
export function closingLines(result: FineTuneResult, skipped: readonly SkippedImage[]): string[] {
  const { validation, bestEpoch, recipe, seconds } = result;
  const lines = [];
  if (validation) lines.push(`  Validation accuracy ${bold(percent(validation.accuracy))} of ${count(validation.count)} images: epoch ${bestEpoch} of ${recipe.epochs}, in ${duration(seconds)}.`);
  else if (bestEpoch > 0) lines.push(`  Kept epoch ${bestEpoch} of ${recipe.epochs}, in ${duration(seconds)}.`);
  if (skipped.length > 0) {
    lines.push(`  Left out ${count(skipped.length)} unreadable ${skipped.length === 1 ? 'image' : 'images'}:`);
    for (const { path, reason } of skipped.slice(0, 10)) lines.push(`    ${oneLine(`${path}: ${reason}`)}`);
    if (skipped.length > 10) lines.push(`    and ${skipped.length - 10} more; report.html lists them all`);
  }
  return lines;
}
