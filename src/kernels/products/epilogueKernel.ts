/** Kernels that end with an epilogue of shaders/lib: writing columns in fours or one by one, on f32 or f16 in memory. */
import { Kernel } from '../../gpu/kernel';
import type { FloatDtype } from '../../tensor';
import halfLib from '../../../shaders/lib/half.wgsl?raw';
import quadsLib from '../../../shaders/lib/epilogueQuads.wgsl?raw';
import scalarsLib from '../../../shaders/lib/epilogueScalars.wgsl?raw';
import { columnType } from '../cast';

type Spec = Readonly<Record<string, string | number>>;

/** A kernel's declarations of its operands in memory, and of what it writes. */
export interface Elements {
  /** Of the operands that are multiplied. */
  readonly dtype: FloatDtype;
  /** Of the output and the residual. */
  readonly out: FloatDtype;
}

export class EpilogueKernel {
  readonly #kernels: Readonly<Record<FloatDtype, Readonly<Record<1 | 4, Kernel>>>>;

  /** `sources`: library files first, the epilogue aside. `enables`: what WGSL wants before all declarations. */
  constructor(name: string, entry: string, sources: readonly string[], enables: readonly string[] = []) {
    const both = (suffix: string, first: readonly string[]): Readonly<Record<1 | 4, Kernel>> => ({
      4: new Kernel(`${name}${suffix}`, [...first, quadsLib, ...sources], entry),
      1: new Kernel(`${name}${suffix} (odd columns)`, [...first, scalarsLib, ...sources], entry),
    });
    this.#kernels = { f32: both('', enables), f16: both(' f16', [halfLib, ...enables]) };
  }

  /** `columns`: of the output, a group's where there are groups. */
  variant(columns: number, { dtype, out }: Elements, spec: Spec): Kernel {
    const width = columns % 4 === 0 ? 4 : 1;
    const half = dtype === 'f16' || out === 'f16' ? 'f16' : 'f32';
    return this.#kernels[half][width].variant({ spec: { ...spec, Quad: columnType(4, dtype), Out: columnType(width, out) } });
  }
}

/** Declarations of one operand in memory: elements in fours where rows, of `extent`, begin at multiples of four. */
export function elementSpec(name: string, extent: number, dtype: FloatDtype): Spec {
  const width = extent % 4 === 0 ? 4 : 1;
  return { [name]: columnType(width, dtype), [`${name}_WIDTH`]: width };
}
