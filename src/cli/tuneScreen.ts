/** The screen of `graft tune`: a row for each class of problems as it is done, and where tuning is. */
import { conv2dShape } from '../kernels/conv2d/shape';
import type { ConvShape } from '../kernels/conv2d/conv2d';
import type { MatmulShape } from '../kernels/matmul/matmul';
import type { AdapterFacts } from '../gpu/gpu';
import { duration } from '../report/format';
import type { Work } from '../transfer/modelWork';
import type { TuneEvent, TuneResult } from '../tune/report';
import { bar, dim, green, oneLine, yellow, type Terminal } from './terminal';

/** Width of the column of problems. */
const PROBLEM = 34;

export class TuneScreen {
  readonly #terminal: Terminal;
  readonly #silent: boolean;
  readonly #began = performance.now();
  #problem = '';
  #candidates = 0;
  #headed = false;

  constructor(terminal: Terminal, silent: boolean) {
    this.#terminal = terminal;
    this.#silent = silent;
  }

  introduce({ model, adapter, problems, tuned }: { readonly model: string; readonly adapter: AdapterFacts; readonly problems: number; readonly tuned: number }): void {
    if (this.#silent) return;
    const row = (label: string, text: string): void => this.#terminal.line(`  ${dim(label.padEnd(9))}${text}`);
    this.#terminal.line();
    row('model', oneLine(model));
    row('adapter', `${adapter.description}${adapter.software ? ' (software)' : ''}`);
    row('to tune', `${problems - tuned} of ${problems} classes of products and convolutions${tuned > 0 ? '; the others are tuned already' : ''}`);
    this.#terminal.line();
  }

  /** Says that some work is being timed. */
  timing({ name, batchSize }: Work, how: string): void {
    if (!this.#silent) this.#terminal.live(`  timing ${name}, batch ${batchSize}, ${how}`, { force: true });
  }

  show(event: TuneEvent): void {
    if (event.kind === 'untuned') {
      this.#terminal.note(`graft: ${event.untuned.key} was not tuned: ${event.untuned.reason}`);
    } else if (event.kind === 'result') {
      this.#result(event.result);
    } else if (event.kind === 'problem') {
      [this.#problem, this.#candidates] = [event.key, event.candidates];
      this.#live(event, `compiling ${event.candidates}`);
    } else {
      this.#live(event, event.round === 0 ? `checking ${event.id}` : `round ${event.round}, ${event.id}`);
    }
  }

  #live({ done, total }: { readonly done: number; readonly total: number }, what: string): void {
    if (this.#silent) return;
    const spent = duration((performance.now() - this.#began) / 1000);
    const [family] = this.#problem.split(' ');
    this.#terminal.live(`  ${bar(done / total, 16)}  ${done}/${total}  ${spent}  ${family}: ${what}${this.#candidates > 1 ? ` of ${this.#candidates}` : ''}`);
  }

  #result(result: TuneResult): void {
    const wrong = result.excluded.filter(({ reason }) => reason.startsWith('wrong numbers'));
    for (const { id, reason } of wrong) this.#terminal.note(`graft: '${id}' is not used for ${result.key}: ${reason}`);
    if (this.#silent) return;
    if (!this.#headed) this.#terminal.line(dim(`  ${'problem'.padEnd(PROBLEM)}   usual    best  gain  GFLOP/s  algorithm`));
    this.#headed = true;
    const { defaultMs, ms, candidate, defaultCandidate, gflops } = result;
    const gain = defaultMs === null ? yellow('wrong') : candidate === defaultCandidate ? dim('    =') : green(`${Math.round(100 * (defaultMs / ms - 1))} %`.padStart(5));
    const problem = describeProblem(result.family, result.shape).padEnd(PROBLEM);
    this.#terminal.line(`  ${problem} ${(defaultMs === null ? '' : times(defaultMs)).padStart(7)} ${times(ms).padStart(7)} ${gain}  ${gflops.toFixed(gflops < 10 ? 1 : 0).padStart(7)}  ${candidate}`);
  }
}

/** Milliseconds in three digits: `0.83`, `12.3`, `1240`. Microseconds below a tenth: `83 µs`. */
export function times(ms: number): string {
  if (ms < 0.0995) return `${Math.round(1000 * ms)} µs`;
  return `${ms.toFixed(ms < 9.95 ? 2 : ms < 99.5 ? 1 : 0)} ms`;
}

const NAMES: Readonly<Record<string, string>> = { conv2d: 'conv', conv2d_backward_input: 'conv dx', conv2d_backward_weight: 'conv dw' };

/** A problem as people write it: `conv dx 3x3 64>128 /2 8x56x56`, images by height and width of the output last. */
export function describeProblem(family: string, shape: unknown): string {
  const name = NAMES[family];
  if (name !== undefined) {
    const { x, weight: [kh, kw, channels, out], options } = shape as ConvShape;
    const [images, height, width] = conv2dShape(x, [kh, kw, channels, out], options);
    const stride = options.stride[0] === 1 && options.stride[1] === 1 ? '' : ` /${options.stride[0]}`;
    const groups = options.groups === 1 ? '' : ` g${options.groups}`;
    return `${name.padEnd(8)}${kh}x${kw} ${channels * options.groups}>${out}${stride}${groups}  ${images}x${height}x${width}`;
  }
  if (family !== 'matmul') return family;
  const { batch, m, n, k, transposeA, transposeB } = shape as MatmulShape;
  return `matmul  ${batch > 1 ? `${batch} of ` : ''}${m}x${k}${transposeA ? 'ᵀ' : ''} ${k}x${n}${transposeB ? 'ᵀ' : ''}`;
}
