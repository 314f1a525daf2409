/**
 * The tuner: finds, by measurement, which algorithm is fastest for each class of problems on this adapter.
 *
 * An algorithm must first compute the right numbers on the shape itself. Those that do are timed in turns, so that a
 * machine that slows down slows all of them, and one that is hopelessly behind is not timed again. The one that would
 * be used anyway keeps its place unless another is clearly faster.
 */
import { DeviceError } from '../errors';
import { shippedChoices } from '../gpu/shipped';
import type { Gpu } from '../gpu/gpu';
import { Random } from '../random';
import { Tensor } from '../tensor';
import type { Candidate } from '../kernels/products/family';
import { Check, type Operands } from './check';
import { median, repeatsFor, sample } from './measure';
import { problemOf, type AnyFamily, type Problem } from './problems';
import type { TuneEvent, TuneReport, TuneResult, Untuned } from './report';

/** A rival must beat what would be used anyway by this much: less is noise, and a change of algorithm changes bits. */
const GAIN = 0.03;
/** Those slower than the best by this factor after the first round are not timed again. */
const HOPELESS = 1.5;
/** From the third round on, those slower by this factor are out as well. */
const BEHIND = 1.1;
/** Rounds for runs shorter than, in milliseconds. */
const ROUNDS: readonly (readonly [below: number, rounds: number])[] = [[50, 7], [300, 4], [Infinity, 2]];
/** A first run that took as long, in milliseconds, tells enough: what is done only once does not count beside it. */
const LONG = 200;
/** Algorithms that are tried however long they take. */
const AT_LEAST = 6;

export interface TuneOptions {
  readonly onProgress?: (event: TuneEvent) => void;
  /** Starts no further class after this many milliseconds. Default: no limit. */
  readonly budgetMs?: number;
  /** Tries no more algorithms for a class after so long, but some of each kind. Milliseconds, default 15 000. */
  readonly classMs?: number;
  /** Ends tuning; what was found so far is returned. */
  readonly signal?: AbortSignal;
  /** What is used without tuning, by class; where it says nothing, the family's first. Default: what is shipped. */
  readonly defaults?: ReadonlyMap<string, string>;
  /** Classes to leave as they are, also where an algorithm is made of them: tuned before, and in `gpu.choices`. */
  readonly known?: Iterable<string>;
  /** For the numbers computed with. Default 0. */
  readonly seed?: number;
}

/** See onDemand.ts, by which the public API reaches it. */
export async function tune(gpu: Gpu, problems: readonly Problem[], options: TuneOptions = {}): Promise<TuneReport> {
  return new Tuning(gpu, options).all(problems);
}

class Stopped extends Error {}

class Tuning {
  readonly #gpu: Gpu;
  readonly #options: TuneOptions;
  readonly #defaults: ReadonlyMap<string, string>;
  readonly #began = performance.now();
  readonly #results: TuneResult[] = [];
  readonly #untuned: Untuned[] = [];
  /** Keys that are tuned, left out, or being tuned. */
  readonly #seen: Set<string>;
  #total = 0;

  constructor(gpu: Gpu, options: TuneOptions) {
    this.#gpu = gpu;
    this.#options = options;
    this.#seen = new Set(options.known);
    this.#defaults = options.defaults ?? new Map(shippedChoices(gpu.adapter));
  }

  async all(problems: readonly Problem[]): Promise<TuneReport> {
    this.#total = new Set(problems.map(({ key }) => key).filter((key) => !this.#seen.has(key))).size;
    let ended: TuneReport['ended'] = 'finished';
    try {
      for (const problem of problems) {
        if (this.#options.signal?.aborted) throw new Stopped('interrupted');
        if (this.#overBudget) throw new Stopped('budget');
        await this.#problem(problem);
      }
    } catch (error) {
      if (!(error instanceof Stopped)) throw error;
      ended = error.message === 'budget' ? 'budget' : 'interrupted';
    }
    return { results: this.#results, untuned: this.#untuned, ended };
  }

  get #overBudget(): boolean {
    return performance.now() - this.#began > (this.#options.budgetMs ?? Infinity);
  }

  get #place(): { done: number; total: number } {
    return { done: this.#results.length + this.#untuned.length, total: this.#total };
  }

  async #problem(problem: Problem): Promise<void> {
    const { key, family, shape } = problem;
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    const gpu = this.#gpu;
    const random = new Random(this.#options.seed ?? 0, ...[...key].map((letter) => letter.codePointAt(0) ?? 0));
    let operands: Operands | undefined;
    try {
      operands = family.operands(gpu, shape, (count) => Float32Array.from({ length: count }, () => random.uniform(-1, 1)));
      const check = await Check.of(problem, operands, random);
      if (check === undefined) throw new DeviceError('nothing says what it should compute');
      const result = await this.#race(problem, operands, check);
      this.#results.push(result);
      gpu.choices.adopt([[key, result.candidate]]);
      this.#options.onProgress?.({ kind: 'result', result, ...this.#place });
    } catch (error) {
      if (error instanceof Stopped) throw error;
      await gpu.sync(); // throws when the device is lost: nothing goes on then
      const untuned = { key, reason: (error as Error).message };
      this.#untuned.push(untuned);
      this.#options.onProgress?.({ kind: 'untuned', untuned, ...this.#place });
    } finally {
      for (const value of Object.values(operands ?? {})) if (value instanceof Tensor) value.dispose();
      gpu.trim();
    }
  }

  /** Compiles, checks and times all candidates. @throws DeviceError when none computes the right numbers. */
  async #race({ key, family, shape }: Problem, operands: Operands, check: Check): Promise<TuneResult> {
    const offered = family.candidates(this.#gpu, shape);
    const defaultCandidate = (offered.find(({ id }) => id === this.#defaults.get(key)) ?? offered[0]).id;
    const candidates = inTurns(offered, defaultCandidate);
    const excluded = new Map<string, string>();
    this.#options.onProgress?.({ kind: 'problem', key, candidates: candidates.length, ...this.#place });
    for (const part of await this.#compile(candidates, operands, excluded)) await this.#part(part);
    const runners = await this.#qualify(key, candidates, operands, check, excluded);
    if (runners.size === 0) throw new DeviceError(`none of ${candidates.length} algorithms computes it rightly: ${[...excluded.values()][0]}`);
    const timings = await this.#time(key, runners, defaultCandidate);
    const best = timings[0];
    const usual = timings.find(({ id }) => id === defaultCandidate);
    const winner = usual && best.ms > (1 - GAIN) * usual.ms ? usual : best;
    return {
      key, family: family.name, shape, candidate: winner.id, ms: winner.ms, defaultCandidate, defaultMs: usual?.ms ?? null,
      gflops: family.operations(shape) / winner.ms / 1e6,
      timings,
      excluded: [...excluded].map(([id, reason]) => ({ id, reason })),
      untried: candidates.length - runners.size - excluded.size,
    };
  }

  /** A problem that an algorithm launches in its turn: found late, tuned first. */
  async #part({ family, shape }: { readonly family: unknown; readonly shape: unknown }): Promise<void> {
    const part = problemOf(family as AnyFamily, shape);
    if (this.#seen.has(part.key)) return;
    this.#total++;
    await this.#problem(part);
  }

  /** Compiles all candidates at once; those that do not compile are excluded. Returns the problems they launch. */
  async #compile(candidates: readonly Candidate<Operands>[], operands: Operands, excluded: Map<string, string>): Promise<readonly { family: unknown; shape: unknown }[]> {
    const gpu = this.#gpu;
    let parts: readonly { family: unknown; shape: unknown }[] = [];
    const attempt = ({ id, run }: Candidate<Operands>): void => {
      try {
        run(operands);
      } catch (error) {
        excluded.set(id, (error as Error).message);
      }
    };
    try {
      await gpu.precompile(() => {
        parts = gpu.choices.observe(() => candidates.forEach(attempt));
      });
    } catch {
      // One of them: which, only one at a time tells.
      for (const candidate of candidates) {
        await gpu.precompile(() => attempt(candidate)).catch((error: Error) => excluded.set(candidate.id, error.message));
      }
    }
    return parts;
  }

  /** Runs each once and compares its numbers. Returns those that are right, with the time of that run. */
  async #qualify(key: string, candidates: readonly Candidate<Operands>[], operands: Operands, check: Check, excluded: Map<string, string>): Promise<Map<string, Runner>> {
    const gpu = this.#gpu;
    const runners = new Map<string, Runner>();
    const deadline = performance.now() + (this.#options.classMs ?? 15_000);
    for (const { id, run } of candidates) {
      if (excluded.has(id)) continue;
      if (runners.size >= AT_LEAST && performance.now() > deadline) break;
      this.#breathe({ key, id, round: 0 });
      const once = (): void => gpu.scope(() => run(operands), () => []);
      try {
        const { ms, wrong, replaced } = await check.of(gpu, id, once);
        if (wrong) excluded.set(id, `wrong numbers: ${wrong}`);
        else runners.set(id, { run: once, times: [], estimate: ms > LONG ? ms : await this.#estimate(once) });
        if (replaced !== undefined) {
          runners.delete(replaced);
          excluded.set(replaced, `wrong numbers: it disagrees with '${id}', which is right`);
        }
      } catch (error) {
        await gpu.sync(); // a lost device ends tuning; an algorithm's own error was thrown already
        excluded.set(id, (error as Error).message);
      }
    }
    return runners;
  }

  /** The better of two runs: what happens once (machine code, new memory) may reach into the first. */
  async #estimate(run: () => void): Promise<number> {
    return Math.min(await sample(this.#gpu, run, 1), await sample(this.#gpu, run, 1));
  }

  /** Median times, the fastest first. The default is timed to the end: what is won is told against it. */
  async #time(key: string, runners: ReadonlyMap<string, Runner>, defaultCandidate: string): Promise<{ id: string; ms: number }[]> {
    const quickest = Math.min(...[...runners.values()].map(({ estimate }) => estimate));
    const rounds = (ROUNDS.find(([below]) => quickest < below) ?? ROUNDS[ROUNDS.length - 1])[1];
    let racing = [...runners].filter(([id, { estimate }]) => id === defaultCandidate || estimate <= 4 * quickest + 1);
    const best = (): number => Math.min(...racing.map(([, { times }]) => median(times)));
    // One without rivals is timed too, for the report, but not for long.
    for (let round = 1; round <= rounds && (racing.length > 1 || round < 3); round++) {
      for (const [id, { run, times, estimate }] of racing) {
        this.#breathe({ key, id, round });
        times.push(await sample(this.#gpu, run, repeatsFor(estimate)));
      }
      const bound = (round < 3 ? HOPELESS : BEHIND) * best();
      racing = racing.filter(([id, { times }]) => id === defaultCandidate || median(times) <= bound);
    }
    const timed = [...runners].map(([id, { times, estimate }]) => ({ id, ms: times.length > 0 ? median(times) : estimate }));
    return timed.sort((a, b) => a.ms - b.ms);
  }

  /** Tells where tuning is, and ends it when that was asked for. */
  #breathe(at: { readonly key: string; readonly id: string; readonly round: number }): void {
    if (this.#options.signal?.aborted) throw new Stopped('interrupted');
    this.#options.onProgress?.({ kind: 'candidate', ...at, ...this.#place });
  }
}

/** The default first, then one of each kind (the first word of its id) in turn, each kind in the family's order. */
function inTurns<C extends { readonly id: string }>(offered: readonly C[], first: string): C[] {
  const taken = new Map<string, number>();
  const turns = offered.map((candidate) => {
    const [kind] = candidate.id.split(' ');
    const turn = taken.get(kind) ?? 0;
    taken.set(kind, turn + 1);
    return { candidate, turn: candidate.id === first ? -1 : turn };
  });
  return turns.sort((a, b) => a.turn - b.turn).map(({ candidate }) => candidate);
}

interface Runner {
  readonly run: () => void;
  readonly times: number[];
  /** Milliseconds of one run, roughly. */
  readonly estimate: number;
}
