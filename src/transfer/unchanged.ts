/** Working with a network in other modes than it is in, and leaving it as it was. */
import { UsageError } from '../errors';
import type { ResNet } from '../models/resnet';
import { batchNorms } from './plan';

/**
 * Runs `fn`, which may freeze parts and change modes, and puts everything back: what wants a gradient and the gradients
 * there are, training modes, batch norms' states, recomputation. Values of weights are not looked after. Not for async
 * functions, so nobody else ever sees the network in between, a training run that goes on neither.
 */
export function unchanged<T>(network: ResNet, fn: () => T): T {
  const parameters = network.parameters().map((parameter) => ({ parameter, requiresGrad: parameter.requiresGrad, grad: parameter.grad }));
  const norms = batchNorms(network).map((norm) => ({ norm, normaliseBy: norm.normaliseBy, updateStatistics: norm.updateStatistics }));
  const modes = [...network.modules()].map(([, module]) => ({ module, training: module.training }));
  const { recompute } = network;
  try {
    const result = fn();
    if (result instanceof Promise) throw new UsageError('unchanged() takes a function that is not async; await outside it');
    return result;
  } finally {
    for (const { parameter, ...state } of parameters) Object.assign(parameter, state);
    for (const { norm, ...state } of norms) Object.assign(norm, state);
    for (const { module, training } of modes) module.training = training;
    network.recompute = recompute;
  }
}
