/** Checks an `optimizer` fixture: one parameter after each of a few steps with given gradients. */
import { ShapeError, formatShape } from '../errors';
import type { Gpu } from '../gpu/gpu';
import { f32 } from '../hostTensor';
import { Parameter } from '../layers/module';
import { Optimizer } from '../optim/optimizer';
import { Tensor } from '../tensor';
import { compare } from './compare';
import type { Fixture } from './fixture';
import { optimizerOf } from './modelArgs';
import type { Check } from './verdict';

const AFTER = 1e-5;

export async function checkOptimizer(gpu: Gpu, fixture: Fixture): Promise<Check[]> {
  const [start, grads, want] = [await fixture.tensor('param'), await fixture.tensor('grads'), await fixture.tensor('after')];
  const [steps, size] = grads.shape;
  if (start.shape.length !== 1 || grads.shape.length !== 2 || size !== start.shape[0] || steps < 1) {
    throw new ShapeError(`param must be [n] and grads [steps, n], got ${formatShape(start.shape)} and ${formatShape(grads.shape)}`);
  }
  const parameter = new Parameter(Tensor.fromHost(gpu, start));
  const optimizer = new Optimizer([['param', parameter]], optimizerOf(fixture.args.object('optimizer')));
  try {
    const after = new Float32Array(steps * size);
    for (let i = 0; i < steps; i++) {
      parameter.grad = Tensor.fromHost(gpu, f32([size], (grads.data as Float32Array).slice(i * size, (i + 1) * size)));
      optimizer.step();
      parameter.grad.dispose();
      after.set((await parameter.toArray()) as Float32Array, i * size);
    }
    return [compare('after', f32([steps, size], after), want, fixture.bound(AFTER))];
  } finally {
    optimizer.dispose();
    parameter.dispose();
  }
}
