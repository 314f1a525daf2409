/** A loss curve of bounded length. Events tell the mean of an epoch so far; the curve wants what each group of steps had. */
import type { LossPoint } from '../../shared/protocol';

const MOST = 400;

export class Curve {
  #points: LossPoint[];
  /** Points that are averaged into one. */
  #stride = 1;
  #pending: { count: number; sum: number } = { count: 0, sum: 0 };
  #epoch = 0;
  #steps = 0;
  #sum = 0;

  constructor(points: readonly LossPoint[] = []) {
    this.#points = [...points];
  }

  get points(): readonly LossPoint[] {
    return this.#points;
  }

  /** `loss` is the mean of the epoch's first `step` steps; `done` are the steps of earlier epochs. */
  add({ epoch, step, loss }: { readonly epoch: number; readonly step: number; readonly loss: number }, done: number): void {
    if (epoch !== this.#epoch || step <= this.#steps) {
      this.#epoch = epoch;
      this.#steps = 0;
      this.#sum = 0;
    }
    const here = (loss * step - this.#sum) / (step - this.#steps);
    this.#steps = step;
    this.#sum = loss * step;
    if (!Number.isFinite(here)) return;
    this.#pending = { count: this.#pending.count + 1, sum: this.#pending.sum + here };
    if (this.#pending.count < this.#stride) return;
    this.#points = [...this.#points, { step: done + step, loss: this.#pending.sum / this.#pending.count }];
    this.#pending = { count: 0, sum: 0 };
    if (this.#points.length > MOST) this.#thin();
  }

  /** Forgets what lies after a step: a run goes on from there. */
  cut(step: number): void {
    this.#points = this.#points.filter((point) => point.step <= step);
    this.#pending = { count: 0, sum: 0 };
    this.#epoch = 0;
  }

  /** Every two neighbours become their mean. */
  #thin(): void {
    const halved: LossPoint[] = [];
    for (let i = 0; i + 1 < this.#points.length; i += 2) halved.push({ step: this.#points[i + 1].step, loss: (this.#points[i].loss + this.#points[i + 1].loss) / 2 });
    this.#points = this.#points.length % 2 === 1 ? [...halved, this.#points[this.#points.length - 1]] : halved;
    this.#stride *= 2;
  }
}
