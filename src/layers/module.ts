/**
 * Modules: named parameters and buffers, state dicts with torchvision's names, train / eval, freeze / unfreeze.
 *
 * Names are attribute paths (`layer1.0.conv1.weight`): whatever attribute holds a Parameter, a Buffer or a Module is
 * found by walking the object, so there is no registration. Arrays of modules are numbered.
 */
import { StateDictError, UsageError, formatShape, suggest } from '../errors';
import { sizeOf, type HostTensor } from '../hostTensor';
import { Tensor, keep, type FloatDtype, type Layout } from '../tensor';

/** A tensor that is learned. `layout` says how PyTorch orders it. */
export class Parameter extends Tensor {
  readonly layout: Layout;

  constructor(tensor: Tensor, layout: Layout = 'plain') {
    super(tensor.gpu, tensor.shape, tensor.dtype, tensor.storage);
    this.layout = layout;
    this.requiresGrad = true;
    keep(this);
  }
}

/** A tensor that is part of the state but not learned: running statistics. */
export class Buffer extends Tensor {
  constructor(tensor: Tensor) {
    super(tensor.gpu, tensor.shape, tensor.dtype, tensor.storage);
    keep(this);
  }
}

/** A count kept in ordinary memory, saved as an I64 scalar (`num_batches_tracked`). */
export class Counter {
  value = 0;
}

export type StateDict = Map<string, HostTensor>;

export interface LoadReport {
  /** Names the module has and the dict has not. */
  readonly missing: readonly string[];
  /** Names the dict has and the module has not. */
  readonly unexpected: readonly string[];
  /** Names whose shapes differ. */
  readonly misshapen: readonly { readonly name: string; readonly expected: readonly number[]; readonly found: readonly number[] }[];
}

export abstract class Module {
  /** True in training mode: batch norm and dropout behave accordingly. */
  training = true;

  abstract forward(x: Tensor): Tensor;

  /** Direct children by attribute name; items of arrays as `name.0`, `name.1`, … */
  *children(): Generator<[string, Module]> {
    for (const [name, value] of Object.entries(this)) {
      if (value instanceof Module) yield [name, value];
      else if (Array.isArray(value)) {
        for (const [i, item] of value.entries()) if (item instanceof Module) yield [`${name}.${i}`, item];
      }
    }
  }

  /** This module and all below it, with their paths; the module itself has the empty path. */
  *modules(prefix = ''): Generator<[string, Module]> {
    yield [prefix, this];
    for (const [name, child] of this.children()) yield* child.modules(join(prefix, name));
  }

  *namedParameters(prefix = ''): Generator<[string, Parameter]> {
    for (const [name, value] of this.#members(prefix)) if (value instanceof Parameter) yield [name, value];
  }

  *namedBuffers(prefix = ''): Generator<[string, Buffer | Counter]> {
    for (const [name, value] of this.#members(prefix)) if (!(value instanceof Parameter)) yield [name, value];
  }

  parameters(): Parameter[] {
    return [...this.namedParameters()].map(([, parameter]) => parameter);
  }

  /** Sets training mode here and below. Frozen modules hold their batch norm all the same (see BatchNorm2d). */
  train(mode = true): this {
    for (const [, module] of this.modules()) module.training = mode;
    return this;
  }

  eval(): this {
    return this.train(false);
  }

  /**
   * Freezes parameters whose name begins with one of `patterns` at a dot (`layer1`, `layer1.0.conv1`), or matches a
   * glob (`*.bn?.weight`); all of them when none is given. A batch norm whose parameters are all frozen holds its
   * statistics too.
   * @returns names that were frozen. @throws UsageError for a pattern that names nothing.
   */
  freeze(...patterns: string[]): string[] {
    return this.#setTrainable(patterns, false);
  }

  /** The reverse of `freeze`. */
  unfreeze(...patterns: string[]): string[] {
    return this.#setTrainable(patterns, true);
  }

  /**
   * Keeps the weights of convolutions, here and below, as `dtype`, rounding them: f16 takes half the memory, and the
   * layers then take and give f16. What is f16 cannot be trained, so everything here and below is frozen with it.
   * (Normalisation, biases and fully connected layers stay f32.) Optimisers and captured functions made before hold the
   * old weights: make them anew.
   * @throws DeviceError for f16 where the adapter lacks it.
   */
  to(dtype: FloatDtype): this {
    for (const [, module] of this.modules()) module.convert(dtype);
    if (dtype === 'f16') this.freeze();
    return this;
  }

  /** Converts what this module itself holds. Overridden by layers that can work on f16. */
  protected convert(_dtype: FloatDtype): void {
    // Most layers are f32 whatever the others are.
  }

  /** Reads parameters and buffers back, in PyTorch's layout and torchvision's order: all, or those `wanted`. */
  async stateDict(wanted: (name: string) => boolean = () => true): Promise<StateDict> {
    const state: StateDict = new Map();
    for (const [name, value] of this.#members('')) {
      if (!wanted(name)) continue;
      if (value instanceof Counter) state.set(name, { dtype: 'I64', shape: [], data: BigInt64Array.of(BigInt(value.value)) });
      else state.set(name, await value.toHost(value instanceof Parameter ? value.layout : 'plain'));
    }
    return state;
  }

  /** Name and shape (PyTorch's layout) of everything in the state dict. */
  stateShapes(): Map<string, number[]> {
    const shapes = new Map<string, number[]>();
    for (const [name, value] of this.#members('')) {
      if (value instanceof Counter) shapes.set(name, []);
      else shapes.set(name, value.hostShape(value instanceof Parameter ? value.layout : 'plain'));
    }
    return shapes;
  }

  /** What `loadStateDict` would find, without loading anything. */
  compareState(shapes: ReadonlyMap<string, readonly number[]>): LoadReport {
    const own = this.stateShapes();
    const misshapen = [];
    for (const [name, expected] of own) {
      const found = shapes.get(name);
      if (found && formatShape(found) !== formatShape(expected)) misshapen.push({ name, expected, found });
    }
    return {
      missing: [...own.keys()].filter((name) => !shapes.has(name) && !name.endsWith('num_batches_tracked')),
      unexpected: [...shapes.keys()].filter((name) => !own.has(name)),
      misshapen,
    };
  }

  /**
   * Copies a state dict into the module. Strict by default: everything missing, unexpected or misshapen is listed in
   * one error, and nothing has been changed then. Not strict: what fits is loaded, and the report says what did not.
   * (`num_batches_tracked` may be missing: files from before PyTorch 0.4 have none.)
   */
  loadStateDict(state: ReadonlyMap<string, HostTensor>, { strict = true }: { strict?: boolean } = {}): LoadReport {
    const report = this.compareState(new Map([...state].map(([name, { shape }]) => [name, shape])));
    const problems = describeReport(report);
    if (strict && problems) throw new StateDictError(`loadStateDict: the weights do not fit the model: ${problems}`);
    const misfits = new Set(report.misshapen.map(({ name }) => name));
    for (const [name, value] of this.#members('')) {
      const host = state.get(name);
      if (host === undefined || misfits.has(name)) continue;
      if (value instanceof Counter) value.value = Number(host.data[0]);
      else value.assign(host, value instanceof Parameter ? value.layout : 'plain');
    }
    return report;
  }

  /** Frees the memory of all parameters and buffers, here and below. */
  dispose(): void {
    for (const [, module] of this.modules()) module.disposeOwn();
  }

  /** Frees what this module itself holds. Overridden where that is more than parameters and buffers. */
  protected disposeOwn(): void {
    for (const value of Object.values(this)) if (value instanceof Parameter || value instanceof Buffer) value.dispose();
  }

  *#members(prefix: string): Generator<[string, Parameter | Buffer | Counter]> {
    for (const [path, module] of this.modules(prefix)) {
      for (const [name, value] of Object.entries(module)) {
        if (value instanceof Parameter || value instanceof Buffer || value instanceof Counter) yield [join(path, name), value];
      }
    }
  }

  #setTrainable(patterns: string[], trainable: boolean): string[] {
    const all = new Map(this.namedParameters());
    const chosen = patterns.length === 0 ? [...all.keys()] : patterns.flatMap((pattern) => matching(pattern, all.keys()));
    for (const name of chosen) (all.get(name) as Parameter).requiresGrad = trainable;
    return chosen;
  }
}

function join(prefix: string, name: string): string {
  return prefix === '' ? name : `${prefix}.${name}`;
}

/** Parameter names that a prefix or glob selects. */
export function matching(pattern: string, names: Iterable<string>): string[] {
  const all = [...names];
  const glob = /[*?]/.test(pattern);
  const expression = new RegExp(
    `^${pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&').replace(/\*/g, '.*').replace(/\?/g, '.')}${glob ? '$' : '(\\.|$)'}`,
  );
  const hits = all.filter((name) => expression.test(name));
  if (hits.length === 0) {
    const prefixes = new Set(all.flatMap((name) => name.split('.').map((_, i, parts) => parts.slice(0, i + 1).join('.'))));
    throw new UsageError(`no parameter is named '${pattern}'.${suggest(pattern, glob ? all : shortest(prefixes))}`);
  }
  return hits;
}

/** Top-level names first, and not so many that a message becomes a page. */
function shortest(names: ReadonlySet<string>): string[] {
  return [...names].sort((a, b) => a.split('.').length - b.split('.').length).slice(0, 120);
}

/** One line, or an empty string when everything fits. Long lists are cut, with their count. */
export function describeReport({ missing, unexpected, misshapen }: LoadReport): string {
  const cut = (items: readonly string[]): string => (items.length > 8 ? `${items.slice(0, 8).join(', ')}, … (${items.length})` : items.join(', '));
  const parts = [];
  if (missing.length > 0) parts.push(`missing ${cut(missing)}`);
  if (unexpected.length > 0) parts.push(`unexpected ${cut(unexpected)}`);
  if (misshapen.length > 0) {
    parts.push(`misshapen ${cut(misshapen.map(({ name, expected, found }) => `${name} ${formatShape(found)} instead of ${formatShape(expected)}`))}`);
  }
  return parts.join('; ');
}

/** Parameters and elements that are trained and frozen, and how many batch norms hold their statistics. */
export interface TrainReport {
  readonly trainable: { readonly tensors: number; readonly elements: number };
  readonly frozen: { readonly tensors: number; readonly elements: number };
}

export function trainReport(module: Module): TrainReport {
  const count = (wanted: boolean): { tensors: number; elements: number } => {
    const chosen = module.parameters().filter((p) => p.requiresGrad === wanted);
    return { tensors: chosen.length, elements: chosen.reduce((sum, p) => sum + sizeOf(p.shape), 0) };
  };
  return { trainable: count(true), frozen: count(false) };
}
