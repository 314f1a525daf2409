/**
 * Operations with a gradient. An op is a forward that saves what it needs and a backward beside it; `defineOp` adds the
 * graph node, and only where a gradient is wanted: below the lowest trainable parameter nothing is recorded or kept.
 */
import { DtypeError, UsageError } from '../errors';
import type { GradNode, Tensor } from '../tensor';

/** What an op's forward leaves for its backward. */
export class Context {
  readonly #saved: Tensor[] = [];
  readonly #needs: readonly boolean[];
  /** True when a gradient will be asked of this call at all. */
  readonly recording: boolean;
  /** For an op with `addsGradients`: a second gradient of its output, to be added to the first. */
  moreDy: Tensor | undefined;

  constructor(needs: readonly boolean[]) {
    this.#needs = needs;
    this.recording = needs.some(Boolean);
  }

  /** Keeps tensors for the backward, besides the inputs, which it is given. Nothing is kept when no gradient is wanted. */
  save(...tensors: Tensor[]): void {
    if (this.recording) this.#saved.push(...tensors);
  }

  get saved(): readonly Tensor[] {
    return this.#saved;
  }

  /** Whether the gradient of input `i` is wanted; a backward leaves it out where not. */
  needs(i: number): boolean {
    return this.#needs[i];
  }
}

export interface OpNode extends GradNode {
  readonly name: string;
  /** The tensors a gradient is passed on to; undefined where none is wanted. */
  readonly inputs: readonly (Tensor | undefined)[];
  readonly backward: (dy: Tensor, moreDy?: Tensor) => readonly (Tensor | null)[];
  /** Instead of `backward` where the gradient of the output is 1, which a backward begins with. */
  readonly fromOne?: () => readonly (Tensor | null)[];
  /** Takes two gradients of its output that were not added up. */
  readonly addsGradients: boolean;
  /** Instead of `backward`, on a node whose inner graph was not kept: records it again (recompute.ts). */
  readonly again?: () => Again;
}

/** A graph that was recorded again: its end, and for each leaf that stands in for an input that input. */
export interface Again {
  readonly output: Tensor;
  readonly inputs: ReadonlyMap<Tensor, Tensor>;
}

/**
 * What ops leave behind: `record` a graph; `mark` only whether there would have been one, so that the same kernels run
 * and yet nothing is kept (recompute.ts); `off` nothing.
 */
export type Mode = 'record' | 'mark' | 'off';

let nextId = 1;
let mode: Mode = 'record';

/** Stands for the node of a tensor made in mode `mark`. */
const MARK: GradNode = { id: 0 };

/** An id greater than that of every node so far. */
export function newNodeId(): number {
  return nextId++;
}

export function currentMode(): Mode {
  return mode;
}

/** Runs `fn`, which must not be async, in a mode. `what` names the caller in the error for a function that is. */
export function inMode<T>(wanted: Mode, what: string, fn: () => T): T {
  const before = mode;
  mode = wanted;
  try {
    const result = fn();
    // After its first await it would be in another mode.
    if (result instanceof Promise) throw new UsageError(`${what}() takes a function that is not async; await outside it`);
    return result;
  } finally {
    mode = before;
  }
}

/** Runs `fn`, which must not be async, without recording: no graph, nothing saved. */
export function noGrad<T>(fn: () => T): T {
  return inMode('off', 'noGrad', fn);
}

/** Whether a gradient flows into this tensor. */
export function wantsGrad(tensor: Tensor | undefined): boolean {
  return mode !== 'off' && tensor !== undefined && (tensor.requiresGrad || tensor.node !== undefined);
}

/** Whether the tensor was made in mode `mark` from something that wants a gradient. */
export function isMarked(tensor: Tensor): boolean {
  return tensor.node === MARK;
}

/**
 * Makes an op of tensors `inputs` and other arguments `args`.
 * `backward` returns a gradient for each input, or null where `context.needs(i)` is false.
 */
export function defineOp<I extends readonly (Tensor | undefined)[], A extends readonly unknown[]>(
  name: string,
  op: {
    /** The backward reads `context.moreDy` too, which saves a pass over memory. Default false. */
    readonly addsGradients?: boolean;
    /** Whether inputs may be f16, and whether that goes for the gradient too. Default: they are f32. */
    readonly half?: 'forward' | 'both';
    forward(context: Context, inputs: I, ...args: A): Tensor;
    backward(context: Context, dy: Tensor, inputs: I, ...args: A): readonly (Tensor | null)[];
    /** The backward for a gradient of 1, where that is less work. */
    fromOne?(context: Context): readonly (Tensor | null)[];
  },
): (inputs: I, ...args: A) => Tensor {
  return (inputs, ...args) => {
    // Kernels read f32: the bits of integers would pass for tiny numbers.
    if (inputs.some((input) => input?.dtype === 'i32')) throw new DtypeError(`${name}: its inputs are real numbers, got integers; upload them as a Float32Array`);
    const context = new Context(inputs.map(wantsGrad));
    if (op.half !== 'both') assertFull(name, inputs, op.half === 'forward', context.recording);
    const output = op.forward(context, inputs, ...args);
    if (context.recording && mode === 'mark') output.node = MARK;
    else if (context.recording) {
      const node: OpNode = {
        id: nextId++,
        name,
        inputs: inputs.map((input, i) => (context.needs(i) ? input : undefined)),
        addsGradients: op.addsGradients ?? false,
        fromOne: op.fromOne && (() => op.fromOne?.(context) ?? []),
        backward: (dy, moreDy) => {
          context.moreDy = moreDy;
          return op.backward(context, dy, inputs, ...args);
        },
      };
      output.node = node;
    }
    return output;
  };
}

/** Kernels that are not made for f16 would take its bits for other numbers. */
function assertFull(name: string, inputs: readonly (Tensor | undefined)[], forward: boolean, recording: boolean): void {
  if (!inputs.some((input) => input?.dtype === 'f16') || (forward && !recording)) return;
  const got = inputs.flatMap((input) => (input ? [input.dtype] : [])).join(', ');
  throw new DtypeError(forward
    ? `${name}: has no gradient in f16, got ${got}; freeze what comes before, use noGrad, or cast its inputs with cast(x, 'f32')`
    : `${name}: computes in f32 only, got ${got}; cast its inputs with cast(x, 'f32')`);
}
