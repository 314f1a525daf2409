/** What the tuner found, and tells while it works: plain data, fit for JSON. */

export interface Exclusion {
  readonly id: string;
  /** What is wrong with it, in words. */
  readonly reason: string;
}

/** What the tuner found for one class of problems. */
export interface TuneResult {
  readonly key: string;
  readonly family: string;
  readonly shape: unknown;
  /** The winner. */
  readonly candidate: string;
  /** Milliseconds of one run. */
  readonly ms: number;
  /** What would be used without tuning, and its time: null where it was excluded. */
  readonly defaultCandidate: string;
  readonly defaultMs: number | null;
  /** Of the plain method's operations. */
  readonly gflops: number;
  /** Of all that computed the right numbers, the fastest first. */
  readonly timings: readonly { readonly id: string; readonly ms: number }[];
  readonly excluded: readonly Exclusion[];
  /** How many there was no time for: the family's last guesses. */
  readonly untried: number;
}

/** A class that was not tuned, and why. */
export interface Untuned {
  readonly key: string;
  readonly reason: string;
}

export interface TuneReport {
  readonly results: readonly TuneResult[];
  readonly untuned: readonly Untuned[];
  readonly ended: 'finished' | 'budget' | 'interrupted';
}

export type TuneEvent =
  /** `done` of `total` classes are tuned; `total` grows as algorithms turn out to use others. */
  | { readonly kind: 'problem'; readonly key: string; readonly candidates: number; readonly done: number; readonly total: number }
  | { readonly kind: 'candidate'; readonly key: string; readonly id: string; readonly round: number; readonly done: number; readonly total: number }
  | { readonly kind: 'result'; readonly result: TuneResult; readonly done: number; readonly total: number }
  | { readonly kind: 'untuned'; readonly untuned: Untuned; readonly done: number; readonly total: number };
