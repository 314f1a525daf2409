/** What fixtures of whole networks share: the model of `args`, its weights, and optimizer options by PyTorch's names. */
import { UsageError, WeightsError } from '../errors';
import type { Gpu } from '../gpu/gpu';
import { sizeOf, type HostTensor } from '../hostTensor';
import { createModel, type ResNet } from '../models/resnet';
import type { OptimizerOptions } from '../optim/optimizer';
import { SEEDED_FORMULA, seededInputs, seededStateDict } from '../weights/seeded';
import type { Args } from './args';
import type { Fixture } from './fixture';

/** Elements that a shape in `args` may ask for: beyond any image batch, far below what would exhaust memory. */
const MOST_INPUTS = 2 ** 28;

/** The network of `arch`, `num_classes` and `width`. */
export function modelOf(gpu: Gpu, args: Args): ResNet {
  const [arch, numClasses, width] = [args.text('arch'), args.integer('num_classes'), args.integer('width', 64)];
  if (width > 512 || numClasses > 100_000) throw new UsageError(`args: ${arch} of width ${width} with ${numClasses} classes is too large`);
  return createModel(gpu, arch, { numClasses, width, initialise: false });
}

/** Weights and statistics before: tensors `state.*`, or the formula of `args.state`. */
export async function stateOf(fixture: Fixture, model: ResNet): Promise<Map<string, HostTensor>> {
  const names = fixture.namesUnder('state.');
  if (fixture.args.has('state')) {
    if (names.length > 0) throw new WeightsError(`args.state names a formula, and there are tensors 'state.*' too; it must be one of them`);
    return seededStateDict(model.stateShapes(), seedOf(fixture.args.object('state')));
  }
  const state = new Map<string, HostTensor>();
  for (const name of names) state.set(name, await fixture.tensor(`state.${name}`, name.endsWith('num_batches_tracked') ? 'I64' : 'F32'));
  return state;
}

/** Inputs by formula, from `args.inputs.<key>`. */
export function inputsOf(args: Args): HostTensor {
  const shape = args.integers('shape');
  if (shape.some((extent) => extent < 1) || sizeOf(shape) > MOST_INPUTS) throw new UsageError(`args: inputs of shape [${shape.join(', ')}] cannot be made`);
  return seededInputs(shape, seedOf(args));
}

function seedOf(args: Args): number {
  args.choice('formula', [SEEDED_FORMULA]);
  return args.integer('seed');
}

/** `args.optimizer`. What is left out has torch.optim's default, which is Graft's too. */
export function optimizerOf(args: Args): OptimizerOptions {
  const name = args.choice('name', ['sgd', 'adamw']);
  const lr = args.number('lr');
  // Asked for by both, so that a file may list the fields of either with their neutral values.
  const momentum = args.number('momentum', 0);
  const nesterov = args.boolean('nesterov', false);
  const [beta1, beta2, ...more] = args.numbers('betas', [0.9, 0.999]);
  const decay = args.has('weight_decay') ? { weightDecay: args.number('weight_decay') } : {};
  if (name === 'sgd') return { name, lr, momentum, nesterov, ...decay };
  if (momentum !== 0 || nesterov) throw new UsageError('args.optimizer: adamw takes no momentum; it has betas');
  if (beta2 === undefined || more.length > 0) throw new UsageError('args.optimizer.betas must be two numbers');
  return { name, lr, ...decay, betas: [beta1, beta2], eps: args.number('eps', 1e-8) };
}
