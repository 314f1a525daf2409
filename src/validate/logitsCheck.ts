/** Checks a `logits` fixture: a whole network in evaluation mode. */
import { noGrad } from '../autograd/op';
import { WeightsError } from '../errors';
import type { Gpu } from '../gpu/gpu';
import { Tensor, scope } from '../tensor';
import { compare } from './compare';
import type { Fixture } from './fixture';
import { inputsOf, modelOf, stateOf } from './modelArgs';
import type { Check } from './verdict';

const LOGITS = 1e-3;

export async function checkLogits(gpu: Gpu, fixture: Fixture): Promise<Check[]> {
  const model = modelOf(gpu, fixture.args).eval();
  try {
    model.loadStateDict(await stateOf(fixture, model));
    const inputs = fixture.args.object('inputs');
    if (inputs.keys().length === 0) throw new WeightsError('args.inputs is empty: there is nothing to check');
    const checks: Check[] = [];
    for (const key of inputs.keys()) {
      const name = `logits.${key}`;
      const host = inputsOf(inputs.object(key));
      const want = await fixture.tensor(name);
      const logits = scope(gpu, () => noGrad(() => model.forward(Tensor.fromHost(gpu, host, 'image'))));
      checks.push(compare(name, await logits.toHost(), want, fixture.bound(LOGITS)));
      logits.dispose();
    }
    return checks;
  } finally {
    model.dispose();
  }
}
