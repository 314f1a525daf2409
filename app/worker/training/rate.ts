/** Speed of the last seconds. Time in which nothing was meant to happen does not count. */
const WINDOW = 5000; // milliseconds

export class Rate {
  #marks: { readonly time: number; readonly count: number }[] = [];

  /** Counts from here on. */
  begin(count: number): void {
    this.#marks = [{ time: performance.now(), count }];
  }

  at(count: number): void {
    const time = performance.now();
    this.#marks.push({ time, count });
    while (this.#marks.length > 2 && time - this.#marks[1].time > WINDOW) this.#marks.shift();
  }

  /** What comes next is the first after a rest. */
  rest(): void {
    this.#marks = [];
  }

  /** Null until there is something to tell it by. */
  get perSecond(): number | null {
    const [first] = this.#marks;
    const last = this.#marks[this.#marks.length - 1];
    if (first === undefined || last.time - first.time < 1) return null;
    return last.count > first.count ? (1000 * (last.count - first.count)) / (last.time - first.time) : null;
  }
}
