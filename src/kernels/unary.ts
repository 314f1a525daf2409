/** Elementwise functions of one tensor, and their gradients. */
import { Kernel } from '../gpu/kernel';
import { Tensor } from '../tensor';
import span from '../../shaders/lib/span.wgsl?raw';
import wide from '../../shaders/lib/wide.wgsl?raw';
import source from '../../shaders/unary.wgsl?raw';
import { fours, strided } from './launch';

/** Each function with its entry points. `from` says whether the gradient is taken from the input or the output. */
const FUNCTIONS = {
  relu: { forward: 'relu', backward: 'relu_backward', from: 'output' },
  sigmoid: { forward: 'sigmoid', backward: 'sigmoid_backward', from: 'output' },
  tanh: { forward: 'tanh_forward', backward: 'tanh_backward', from: 'output' },
  gelu: { forward: 'gelu', backward: 'gelu_backward', from: 'input' },
} as const;

export type UnaryName = keyof typeof FUNCTIONS;

const KERNELS = Object.fromEntries(
  Object.values(FUNCTIONS)
    .flatMap(({ forward, backward }) => [forward, backward])
    .map((entry) => [entry, new Kernel(entry, [wide, span, source], entry)]),
);

/** Whether the backward of `name` reads the forward's input or its output. */
export function unarySaves(name: UnaryName): 'input' | 'output' {
  return FUNCTIONS[name].from;
}

/** `f(x)`, elementwise. */
export function unary(name: UnaryName, x: Tensor): Tensor {
  const out = Tensor.empty(x.gpu, x.shape);
  const bindings = { x: x.storage, out: out.storage };
  x.gpu.dispatch(KERNELS[FUNCTIONS[name].forward], bindings, { size: fours(x) }, strided(x.gpu, fours(x)));
  return out;
}

/** `dy * f'(…)`, from what `unarySaves` names. */
export function unaryBackward(name: UnaryName, saved: Tensor, dy: Tensor): Tensor {
  const out = Tensor.empty(dy.gpu, dy.shape);
  const bindings = { x: saved.storage, dy: dy.storage, out: out.storage };
  dy.gpu.dispatch(KERNELS[FUNCTIONS[name].backward], bindings, { size: fours(dy) }, strided(dy.gpu, fours(dy)));
  return out;
}
