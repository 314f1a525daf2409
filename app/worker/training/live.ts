/** What a run tells, gathered into what the page shows of it. */
import type { ProgressEvent } from '../../../src/index';
import type { LiveRun, RunCourse } from '../../shared/protocol';
import { Curve } from './curve';
import { Rate } from './rate';

const IDLE: LiveRun = {
  kind: 'running', phase: 'preparing', paused: false, done: 0, total: 0, epoch: 0, epochs: 0, stepsPerEpoch: 0, imagesPerSecond: null,
  secondsLeft: null, gpuBytes: 0, history: [], bestEpoch: 0, curve: [], notes: [],
};
const MAX_NOTES = 100;

/** `epochs`, and of a run that goes on, how far it had come. */
export interface LiveOptions extends Partial<RunCourse> {
  readonly epochs: number;
  readonly batchSize: number;
  /** Held-out images, judged after each epoch. */
  readonly validation: number;
  readonly stepsPerEpoch?: number;
  readonly gpuBytes: () => number;
  /** Of a picture, for people. */
  readonly nameOf: (id: string) => string;
  readonly onChange: (run: LiveRun) => void;
}

export class Live {
  readonly #options: LiveOptions;
  readonly #curve: Curve;
  readonly #rate = new Rate();
  /** Images at once where memory is no matter. */
  #part = Infinity;
  #now: LiveRun;

  constructor(options: LiveOptions) {
    this.#options = options;
    const { epochs, stepsPerEpoch = 0, history = [], bestEpoch = 0, curve = [], notes = [] } = options;
    this.#curve = new Curve(curve);
    this.#now = { ...IDLE, epochs, stepsPerEpoch, history, bestEpoch, curve, notes };
  }

  get now(): LiveRun {
    return this.#now;
  }

  set(patch: Partial<LiveRun>): void {
    this.#now = { ...this.#now, ...patch, gpuBytes: this.#options.gpuBytes() };
    this.#options.onChange(this.#now);
  }

  pause(paused: boolean): void {
    this.#rate.rest();
    this.set({ paused, ...(paused && { secondsLeft: null }) });
  }

  /** So many images are to go through the network at once, if not all of a step. */
  expect(part = Infinity): void {
    this.#part = part;
  }

  note(text: string): void {
    if (this.#now.notes.includes(text) || this.#now.notes.length >= MAX_NOTES) return;
    this.set({ notes: [...this.#now.notes, text] });
  }

  readonly on = (event: ProgressEvent): void => {
    if (event.kind === 'features') this.#features(event);
    else if (event.kind === 'step') this.#step(event);
    else if (event.kind === 'epoch') this.#epoch(event);
    else if (event.kind === 'skip') this.note(`'${this.#options.nameOf(event.path)}' was skipped: ${event.reason}`);
    else if (event.kind === 'note') this.note(event.message);
    else if (event.kind === 'resume') this.#resume(event);
    else if (event.kind === 'memory' && event.memory.microBatch < Math.min(event.batchSize, this.#part)) {
      this.note(`For lack of graphics memory the ${event.batchSize} images of a step go through the network ${event.memory.microBatch} at a time; the result is the same but for rounding.`);
    }
  };

  #features({ done, total }: { readonly done: number; readonly total: number }): void {
    if (this.#now.phase !== 'features') this.#rate.begin(done);
    else this.#rate.at(done);
    const { perSecond } = this.#rate;
    this.set({ phase: 'features', done, total, imagesPerSecond: perSecond, secondsLeft: perSecond === null ? null : (total - done) / perSecond });
  }

  #step({ epoch, epochs, step, steps, loss, imagesPerSecond }: Extract<ProgressEvent, { readonly kind: 'step' }>): void {
    const { batchSize } = this.#options;
    const done = (epoch - 1) * steps + step;
    // Judging lies between two epochs.
    if (this.#now.phase !== 'training' || epoch !== this.#now.epoch) this.#rate.begin(done * batchSize);
    else this.#rate.at(done * batchSize);
    this.#curve.add({ epoch, step, loss }, (epoch - 1) * steps);
    this.set({
      phase: 'training', done, total: epochs * steps, epoch, epochs, stepsPerEpoch: steps, imagesPerSecond: this.#rate.perSecond ?? imagesPerSecond,
      curve: this.#curve.points, secondsLeft: this.#secondsLeft(epoch, epochs, step, steps),
    });
  }

  #epoch({ record, best }: Extract<ProgressEvent, { readonly kind: 'epoch' }>): void {
    this.set({ history: [...this.#now.history.slice(0, record.epoch - 1), record], ...(best && { bestEpoch: record.epoch }) });
  }

  /** What came after the snapshot happens again. */
  #resume({ epoch, step }: { readonly epoch: number; readonly step: number }): void {
    const { history, bestEpoch, stepsPerEpoch } = this.#now;
    this.#curve.cut(epoch * stepsPerEpoch + step);
    this.#rate.rest();
    this.set({ history: history.slice(0, epoch), bestEpoch: Math.min(bestEpoch, epoch), curve: this.#curve.points });
  }

  /** By what whole epochs took, else by the speed of this one's steps, with what judging takes. */
  #secondsLeft(epoch: number, epochs: number, step: number, steps: number): number | null {
    const { history } = this.#now;
    const recent = history.slice(-3);
    if (recent.length > 0) {
      const each = recent.reduce((sum, { seconds }) => sum + seconds, 0) / recent.length;
      return each * (epochs - epoch + 1 - step / steps);
    }
    const { perSecond } = this.#rate;
    if (perSecond === null) return null;
    const { batchSize, validation } = this.#options;
    const left = (epochs - epoch + 1) * steps - step;
    // A forward pass is about a third of a step.
    return (left * batchSize + (epochs - epoch + 1) * validation / 3) / perSecond;
  }
}
