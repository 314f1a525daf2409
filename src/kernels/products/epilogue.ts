/** What the products (matmul, conv2d) do to each output before it is written, so that it costs no pass of its own. */
import { DtypeError, ShapeError, formatShape } from '../../errors';
import type { Storage } from '../../gpu/buffers';
import type { Tensor } from '../../tensor';
import { sameShape } from '../launch';

/** In this order. Columns are the output's last axis. */
export interface Epilogue {
  /** [columns], multiplied: with `bias`, a normalisation by constants. */
  readonly scale?: Tensor | undefined;
  /** [columns], added. */
  readonly bias?: Tensor | undefined;
  /** The output's shape, added: a shortcut around the product. */
  readonly residual?: Tensor | undefined;
  /** Ends with max(0, ·), which keeps NaN. Default false. */
  readonly relu?: boolean;
}

/** @throws ShapeError when a part does not fit an output of this shape; DtypeError when a constant is not f32. */
export function assertEpilogue(op: string, { scale, bias, residual }: Epilogue, shape: readonly number[]): void {
  const columns = shape[shape.length - 1];
  for (const [name, t] of [['scale', scale], ['bias', bias]] as const) {
    if (t && !sameShape(t.shape, [columns])) {
      throw new ShapeError(`${op}: the ${name} must be [${columns}], one value a column of the output, got ${formatShape(t.shape)}`);
    }
    if (t && t.dtype !== 'f32') throw new DtypeError(`${op}: the ${name} must be f32, whatever the other operands are, got ${t.dtype}; use cast(${name}, 'f32')`);
  }
  if (residual && !sameShape(residual.shape, shape)) {
    throw new ShapeError(`${op}: the residual must have the output's shape ${formatShape(shape)}, got ${formatShape(residual.shape)}`);
  }
}

/** The bindings of an epilogue; what is absent is bound to `filler` and not read. */
export function epilogueBindings({ scale, bias, residual }: Epilogue, filler: Tensor): Record<'scale' | 'bias' | 'residual', Storage> {
  return { scale: (scale ?? filler).storage, bias: (bias ?? filler).storage, residual: (residual ?? filler).storage };
}

/** The fields of `Params` that go with them. */
export function epilogueParams({ scale, bias, residual, relu }: Epilogue): Record<'scale' | 'bias' | 'residual' | 'relu', number> {
  return { scale: scale ? 1 : 0, bias: bias ? 1 : 0, residual: residual ? 1 : 0, relu: relu ? 1 : 0 };
}
